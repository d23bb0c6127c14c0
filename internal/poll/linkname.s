// This file lets wait_park.go declare functions without a body.
