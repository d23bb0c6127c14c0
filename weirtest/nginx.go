package weirtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Nginx is a real nginx as an origin. Its socket is opened here and handed over, so that its port is free for
// certain and known before it runs.
type Nginx struct {
	*socket
	dir string
	cmd *exec.Cmd
}

const nginxConf = `daemon off;
worker_processes 1;
%[4]s
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  default_type text/plain;
  keepalive_requests 1000000;
  client_max_body_size 0;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server {
    listen %[2]s;
%[3]s
  }
}
`

// NewNginx starts an nginx whose server block holds conf besides listen, which has the parameters, such as "ssl http2". dir
// must be its own.
func NewNginx(dir, conf string, parameters ...string) (*Nginx, error) {
	s, err := open("")
	if err != nil {
		return nil, err
	}
	n := &Nginx{socket: s, dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(nginxConf, dir, strings.Join(append([]string{s.Address()}, parameters...), " "), conf, asWhom())
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(text), 0o644); err != nil {
		return nil, err
	}
	return n, n.start()
}

// start runs nginx with the socket as file descriptor 3, as its own upgrade of the binary would.
func (n *Nginx) start() error {
	file, err := n.l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer file.Close()
	n.l.Close()
	n.cmd = exec.Command(nginxPath(), "-p", n.dir, "-c", n.dir+"/nginx.conf")
	n.cmd.ExtraFiles = []*os.File{file}
	n.cmd.Env = []string{"NGINX=3;"}
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if n.cmd.Stderr, err = os.OpenFile(n.dir+"/stderr", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
		return err
	}
	return n.cmd.Start()
}

// asWhom lets the workers of a root's nginx into the directory of the test.
func asWhom() string {
	if os.Geteuid() == 0 {
		return "user root;"
	}
	return ""
}

// nginxPath finds nginx where Debian keeps it, which need not be on the path of a plain user.
func nginxPath() string {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path
	}
	return "/usr/sbin/nginx"
}

// Close ends nginx.
func (n *Nginx) Close() {
	n.kill()
	n.free()
}

func (n *Nginx) kill() {
	syscall.Kill(-n.cmd.Process.Pid, syscall.SIGKILL) // master and workers
	n.cmd.Wait()
}

func (n *Nginx) revive() error {
	if err := n.reopen(); err != nil {
		return err
	}
	return n.start()
}

// complaint returns what nginx has written about itself.
func (n *Nginx) complaint() string {
	var out []byte
	for _, name := range []string{"stderr", "error.log"} {
		data, _ := os.ReadFile(filepath.Join(n.dir, name))
		out = append(out, data...)
	}
	return string(out)
}

// await waits until somebody accepts at address.
func await(network, address string) error {
	end := time.Now().Add(patience)
	for {
		c, err := net.Dial(network, address)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(end) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}
