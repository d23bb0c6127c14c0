package admin

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"weir/observe"
)

//go:embed static
var files embed.FS

// api answers about an engine.
type api struct {
	engine Engine
	log    *slog.Logger
}

func routes(e Engine, log *slog.Logger) http.Handler {
	a := &api{engine: e, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.HandleFunc("GET /status", a.status)
	mux.HandleFunc("GET /live", a.live)
	mux.HandleFunc("GET /failures", a.failures)
	mux.HandleFunc("GET /metrics", a.metrics)
	mux.HandleFunc("POST /reload", a.reload)
	mux.HandleFunc("GET /certificates", a.certificates)
	mux.HandleFunc("GET /certificates/root", a.root)
	mux.HandleFunc("POST /certificates/renew", a.renew)
	mux.HandleFunc("GET /explain", a.explainQuery)
	mux.HandleFunc("POST /explain", a.explainBody)
	mux.HandleFunc("GET /{$}", static("index.html", "text/html; charset=utf-8"))
	mux.HandleFunc("GET /style.css", static("style.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /app.js", static("app.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /routes.js", static("routes.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /charts.js", static("charts.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /icon.svg", static("icon.svg", "image/svg+xml"))
	return mux
}

func static(name, kind string) http.HandlerFunc {
	text, err := files.ReadFile("static/" + name)
	return func(w http.ResponseWriter, r *http.Request) {
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Write(text)
	}
}

func (a *api) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	state := a.engine.State()
	if state == observe.Serving {
		io.WriteString(w, "ok\n")
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	io.WriteString(w, string(state)+"\n")
}

func (a *api) status(w http.ResponseWriter, _ *http.Request) {
	s := a.engine.Status()
	s.Listeners, s.Sites, s.Upstreams, s.Logs = list(s.Listeners), list(s.Sites), list(s.Upstreams), list(s.Logs)
	s.Certificates = list(s.Certificates)
	answer(w, http.StatusOK, s)
}

func (a *api) failures(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, a.engine.Failures())
}

func (a *api) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	if err := a.engine.WriteMetrics(w); err != nil {
		a.log.Debug("metrics are not written whole", "error", err)
	}
}

// A reloaded is the answer to a reload.
type reloaded struct {
	Warnings []string `json:"warnings"`
	Partly   bool     `json:"partly"`          // some of the warnings are errors: what they are about is as it was
	Error    string   `json:"error,omitempty"` // every problem with the quoted lines
}

func (a *api) reload(w http.ResponseWriter, r *http.Request) {
	warnings, partly, err := a.engine.Reload(r.Context())
	if err != nil {
		answer(w, http.StatusUnprocessableEntity, reloaded{Warnings: list(warnings), Error: err.Error()})
		return
	}
	answer(w, http.StatusOK, reloaded{Warnings: list(warnings), Partly: partly})
}

func (a *api) explainQuery(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	e := ExplainRequest{
		Method: q.Get("method"), URL: q.Get("url"), Client: q.Get("client"), Listener: q.Get("listener"), Header: http.Header{},
		Target: q.Get("target"), Version: q.Get("version"),
	}
	for _, line := range q["header"] {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			refuse(w, http.StatusBadRequest, `header "`+line+`": write Name: value`)
			return
		}
		e.Header.Add(name, strings.TrimSpace(value))
	}
	a.explain(w, e)
}

func (a *api) explainBody(w http.ResponseWriter, r *http.Request) {
	var e ExplainRequest
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := in.Decode(&e); err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			refuse(w, http.StatusRequestEntityTooLarge, "the body is too large")
			return
		}
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	a.explain(w, e)
}

func (a *api) explain(w http.ResponseWriter, e ExplainRequest) {
	if e.Method == "" {
		e.Method = http.MethodGet
	}
	if e.URL == "" {
		refuse(w, http.StatusBadRequest, "url is missing: which request?")
		return
	}
	out, err := a.engine.Explain(e)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, http.StatusOK, out)
}

// refuse answers with an error as JSON.
func refuse(w http.ResponseWriter, status int, why string) {
	answer(w, status, struct {
		Error string `json:"error"`
	}{why})
}

// answer answers with v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	if err := out.Encode(v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// list is s, but never null in JSON.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// A Live is what changes from second to second. Sites are counted; those that are not as they should be are
// listed without their routes. Of certificates the first ones are listed that somebody should look at.
type Live struct {
	Now       time.Time                `json:"now"`
	Version   string                   `json:"version"`
	State     observe.State            `json:"state"`
	Started   time.Time                `json:"started"`
	Reload    observe.ReloadStatus     `json:"reload"`
	Traffic   observe.Traffic          `json:"traffic"`
	Listeners []observe.ListenerStatus `json:"listeners"`
	Upstreams []observe.UpstreamStatus `json:"upstreams"`
	Logs      []observe.LogStatus      `json:"logs"`
	Sites     int                      `json:"sites"`
	Routes    int                      `json:"routes"`
	Broken    []observe.SiteStatus     `json:"broken"`
	Failures  []observe.Failure        `json:"failures"`

	Certificates    []observe.CertificateStatus `json:"certificates"`
	CertificatesSum int                         `json:"certificates_sum"` // how many there are
}

const (
	liveFailures     = 50
	liveCertificates = 50
)

func (a *api) live(w http.ResponseWriter, _ *http.Request) {
	s := a.engine.Status()
	l := Live{
		Now: time.Now(), Version: s.Version, State: s.State, Started: s.Started, Reload: s.Reload,
		Traffic: a.engine.Traffic(), Listeners: list(s.Listeners), Upstreams: list(s.Upstreams), Logs: list(s.Logs),
		Sites: len(s.Sites), Broken: []observe.SiteStatus{}, Failures: list(a.engine.Failures()),
	}
	observe.WorstFirst(s.Certificates)
	l.CertificatesSum = len(s.Certificates)
	l.Certificates = list(s.Certificates[:min(len(s.Certificates), liveCertificates)])
	for _, site := range s.Sites {
		l.Routes += len(site.Routes)
		if site.State != observe.SiteOK {
			site.Routes = []observe.RouteStatus{}
			l.Broken = append(l.Broken, site)
		}
	}
	l.Failures = l.Failures[:min(len(l.Failures), liveFailures)]
	answer(w, http.StatusOK, l)
}
