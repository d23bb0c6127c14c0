package weirtest

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/weirtest/freeport"
)

// grpcInterop are the programs of gRPC's own interoperability suite, as modules that the go command knows how to get.
const (
	grpcInterop        = "google.golang.org/grpc/interop/"
	grpcInteropVersion = "@v1.85.0"
)

// interopCases are the cases of the suite that need nothing but a server. Those that the Go client lacks are about
// compression, which is the endpoints' alone; the rest need accounts or several servers.
var interopCases = []string{
	"empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
	"timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response", "status_code_and_message",
	"special_status_message", "custom_metadata", "unimplemented_method", "unimplemented_service", "orca_per_rpc", "orca_oob",
}

// gRPC's own suite runs through weir.
func TestGRPCInterop(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite of gRPC takes long to build")
	}
	t.Parallel()
	client, server := interopProgram(t, "client"), interopProgram(t, "server")
	for _, mode := range []string{"h2c", "tls"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			certificate, err := atHome()
			if err != nil {
				t.Fatal(err)
			}
			pem, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "c.key")
			if err := errors.Join(os.WriteFile(pem, certificate.cert, 0o600), os.WriteFile(key, certificate.key, 0o600)); err != nil {
				t.Fatal(err)
			}
			origin := startInterop(t, server, mode, pem, key)
			w := startHoused(t, interopConfig(mode, origin))
			for _, name := range interopCases {
				t.Run(name, func(t *testing.T) { interop(t, client, mode, name, w) })
			}
		})
	}
}

func interopConfig(mode, origin string) string {
	return grpcConfig(mode, origin, "timeouts { idle = \"1m\" }") + `
site "*" {
  route "/*" { proxy = upstream.calls }
}
`
}

// interop runs one case.
func interop(t *testing.T, client, mode, name string, w *Process) {
	host, port, err := net.SplitHostPort(w.Listeners["http"])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := []string{"--server_host=" + host, "--server_port=" + port, "--test_case=" + name}
	if strings.HasPrefix(name, "orca_") { // they see what is reported through a balancer of their own
		args = append(args, `--service_config_json={"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}`)
	}
	if mode == "tls" {
		args = append(args, "--use_tls", "--use_test_ca", "--ca_file="+filepath.Join(w.Dir, "root.pem"), "--server_host_override=127.0.0.1")
	}
	out, err := exec.CommandContext(ctx, client, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%.2000s", err, out)
	}
}

// startInterop starts the suite's server and returns its address.
func startInterop(t *testing.T, server, mode, pem, key string) string {
	t.Helper()
	port := freeport.Find(t) // the program takes no port 0
	address := net.JoinHostPort("127.0.0.1", port)
	args := []string{"--port=" + port}
	if mode == "tls" {
		args = append(args, "--use_tls", "--tls_cert_file="+pem, "--tls_key_file="+key)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, server, args...)
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
	})
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return address
		}
		if time.Now().After(end) {
			t.Fatal("the suite's server does not listen: ", err)
		}
	}
}

// interopProgram returns a program of the suite: the one in the folder that GRPC_INTEROP names, or one made from its module.
func interopProgram(t *testing.T, name string) string {
	t.Helper()
	if dir := os.Getenv("GRPC_INTEROP"); dir != "" {
		return filepath.Join(dir, name)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "install", grpcInterop+name+grpcInteropVersion)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("gRPC's suite can't be built here, so its %s is not run: %v\n%s", name, err, out)
	}
	return filepath.Join(dir, name)
}
