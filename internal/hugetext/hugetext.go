// Package hugetext puts the program's own code on huge pages.
//
// A proxy goes through much code for each request, and so does the kernel between its calls, so that the processor's
// memory of which page is where is too small for pages of 4 KiB. Linux makes huge pages of files only in few set-ups; so
// the code is copied to anonymous memory, and that takes the place of the file's mapping at the same addresses.
package hugetext
