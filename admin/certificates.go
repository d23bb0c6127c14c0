package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"weir/cert"
	"weir/observe"
)

// renewTime bounds the wait for a new certificate: an authority may take minutes to look at the name. What is not done
// then goes on by itself.
const renewTime = 15 * time.Minute

// Certificates is what /certificates and /certificates/renew answer with.
type Certificates struct {
	Certificates []observe.CertificateStatus `json:"certificates"` // of a renewal: those that the name leads to
	ACME         observe.ACMEStatus          `json:"acme,omitzero"`
	Error        string                      `json:"error,omitempty"` // why there is no new one, in plain words
}

func (a *api) certificates(w http.ResponseWriter, _ *http.Request) {
	s := a.engine.Status()
	answer(w, http.StatusOK, Certificates{Certificates: list(s.Certificates), ACME: s.ACME})
}

func (a *api) renew(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Name string `json:"name"`
	}
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := in.Decode(&asked); err != nil || asked.Name == "" {
		refuse(w, http.StatusBadRequest, `which one? write {"name": "www.example.com"}`)
		return
	}
	end := time.Now().Add(renewTime)
	http.NewResponseController(w).SetWriteDeadline(end.Add(writeTimeout))
	ctx, cancel := context.WithDeadline(r.Context(), end)
	defer cancel()
	got, err := a.engine.Renew(ctx, asked.Name)
	switch {
	case errors.Is(err, cert.ErrNoName) && len(got) == 0:
		refuse(w, http.StatusNotFound, err.Error())
	case err != nil:
		answer(w, http.StatusUnprocessableEntity, Certificates{Certificates: list(got), Error: err.Error()})
	default:
		answer(w, http.StatusOK, Certificates{Certificates: list(got)})
	}
}

func (a *api) root(w http.ResponseWriter, _ *http.Request) {
	text, err := a.engine.Root()
	if err != nil {
		refuse(w, http.StatusNotFound, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Write(text)
}
