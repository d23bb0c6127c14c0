// Package fcgi asks application servers such as php-fpm by FastCGI 1.0: it is a weir.Transport.
//
// # Which script answers
//
// The path of a request, in its normal form (weir.Normalize), is cut behind its first segment that ends with SplitPath
// (".php") and has something before it. What stands before the cut is SCRIPT_NAME, and below Root SCRIPT_FILENAME; what
// stands behind it is PATH_INFO:
//
//	/shop/cart.php/items/7   SCRIPT_NAME /shop/cart.php   PATH_INFO /items/7
//	/shop/                   SCRIPT_NAME /shop/index.php  if there is such a file, else as the next line
//	/shop/about              SCRIPT_NAME /index.php       REQUEST_URI tells it the rest
//
// The file must exist, or the answer is 404. That is what keeps /uploads/picture.jpg/x.php from running the picture: a
// PHP that is asked for a file that is not there looks for one further up in the path (cgi.fix_pathinfo, on by default),
// and would find picture.jpg. Where Root is a path of another machine (Remote) nobody can look: then php-fpm's
// security.limit_extensions must be what it is by default, or cgi.fix_pathinfo off. A script path that holds a control
// character, or an escaped slash or backslash, is refused.
//
// # How long a request is
//
// PHP reads as much of a request body as CONTENT_LENGTH says and takes a request without it for one that has no body. So
// a body of unknown length is read to its end first, in memory and then in a temporary file, both bounded (Spool). One of
// known length is passed on as it comes.
//
// # How an answer ends
//
// An answer ends with the server's word (END_REQUEST), or with as many bytes as the script has announced. If the
// connection ends before that, the answer was cut. Work that a script does after its announced end is waited for before
// the connection is used again, but not by the client.
//
// A client that leaves has its request given up by closing the connection, as there is no server that looks out for
// ABORT_REQUEST while a script runs. PHP ends a script that then writes something.
package fcgi
