package cert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/libdns/libdns"
)

// cloudTTL is how many seconds others may remember the records.
const cloudTTL = 60

// CloudDNS is a [Provider] that sets records by the API of who runs the zone.
type CloudDNS struct {
	kind   cloudKind
	base   string
	token  string
	client *http.Client

	mu sync.Mutex // serializes changes: most APIs have one read a set of records and write it anew
}

// A cloudKind is one of these APIs.
type cloudKind struct {
	name   string
	base   string // "": there is none but one's own
	header string // that has the token
	scheme string // before the token
	change func(p *CloudDNS, ctx context.Context, set bool, zone, name, value string) error
}

// cloudKinds are the APIs that are known.
var cloudKinds = []cloudKind{
	{"cloudflare", "https://api.cloudflare.com/client/v4", "Authorization", "Bearer ", (*CloudDNS).changeCloudflare},
	{"desec", "https://desec.io/api/v1", "Authorization", "Token ", (*CloudDNS).changeDesec},
	{"digitalocean", "https://api.digitalocean.com/v2", "Authorization", "Bearer ", (*CloudDNS).changeDigitalOcean},
	{"gandi", "https://api.gandi.net/v5/livedns", "Authorization", "Bearer ", (*CloudDNS).changeGandi},
	{"hetzner", "https://api.hetzner.cloud/v1", "Authorization", "Bearer ", (*CloudDNS).changeHetzner},
	{"powerdns", "", "X-API-Key", "", (*CloudDNS).changePowerDNS},
}

// CloudDNSKinds are the names that [NewCloudDNS] knows.
func CloudDNSKinds() []string {
	var names []string
	for _, k := range cloudKinds {
		names = append(names, k.name)
	}
	return names
}

// NewCloudDNS makes a provider of a kind, such as "cloudflare", with a token that may change the zone's records. server is
// the URL of the API where it is not the usual one; PowerDNS, which one runs oneself, has no usual one.
func NewCloudDNS(kind, token, server string) (*CloudDNS, error) {
	i := slices.IndexFunc(cloudKinds, func(k cloudKind) bool { return k.name == kind })
	if i < 0 {
		return nil, fmt.Errorf("%q is no way to set records: want one of %s", kind, strings.Join(CloudDNSKinds(), ", "))
	}
	if token == "" {
		return nil, fmt.Errorf("%s wants a token that may change the zone", kind)
	}
	p := &CloudDNS{kind: cloudKinds[i], token: token, base: cloudKinds[i].base, client: &http.Client{Timeout: callTimeout}}
	if server != "" {
		p.base = strings.TrimSuffix(server, "/")
	}
	if u, err := url.Parse(p.base); err != nil || u.Host == "" {
		return nil, fmt.Errorf("%s wants the URL of its API", kind)
	}
	return p, nil
}

// fingerprint tells providers apart. It has the token and is not to be shown.
func (p *CloudDNS) fingerprint() string {
	return fmt.Sprintf("%q %q %q", p.kind.name, p.base, p.token)
}

// AppendRecords sets records.
func (p *CloudDNS) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return records, p.each(ctx, true, zone, records)
}

// DeleteRecords deletes records.
func (p *CloudDNS) DeleteRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return records, p.each(ctx, false, zone, records)
}

func (p *CloudDNS) each(ctx context.Context, set bool, zone string, records []libdns.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range records {
		rr := r.RR()
		if err := p.kind.change(p, ctx, set, strings.TrimSuffix(zone, "."), rr.Name, rr.Data); err != nil {
			return fmt.Errorf("%s: %w", p.kind.name, err)
		}
	}
	return nil
}

// A statusError is the answer of an API that did not do what it was asked.
type statusError struct {
	status int
	said   string
}

func (e *statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("status %d %s", e.status, e.said))
}

func isNotFound(err error) bool {
	var s *statusError
	return errors.As(err, &s) && s.status == http.StatusNotFound
}

// call asks the API. The answer is put into result where there is one.
func (p *CloudDNS) call(ctx context.Context, method, path string, body, result any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.base+path, content)
	if err != nil {
		return err
	}
	req.Header.Set(p.kind.header, p.kind.scheme+p.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxFile))
	switch {
	case err != nil:
		return err
	case resp.StatusCode >= 300:
		return &statusError{resp.StatusCode, string(text[:min(len(text), 300)])}
	case result == nil:
		return nil
	}
	return json.Unmarshal(text, result)
}

// quoted is a value as zone files have it.
func quoted(value string) string { return `"` + value + `"` }

// with returns the values with one set or deleted, which may stand there quoted or not.
func with(values []string, set bool, value string) []string {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return strings.Trim(v, `"`) == value })
	if set {
		values = append(values, quoted(value))
	}
	return values
}

func (p *CloudDNS) changeCloudflare(ctx context.Context, set bool, zone, name, value string) error {
	var zones struct{ Result []struct{ ID string } }
	if err := p.call(ctx, http.MethodGet, "/zones?name="+url.QueryEscape(zone), nil, &zones); err != nil {
		return err
	}
	if len(zones.Result) != 1 {
		return fmt.Errorf("the token sees no zone %q", zone)
	}
	records := "/zones/" + zones.Result[0].ID + "/dns_records"
	full := libdns.AbsoluteName(name, zone)
	if set {
		return p.call(ctx, http.MethodPost, records, map[string]any{"type": "TXT", "name": full, "content": quoted(value), "ttl": cloudTTL}, nil)
	}
	var found struct {
		Result []struct{ ID, Content string }
	}
	if err := p.call(ctx, http.MethodGet, records+"?type=TXT&name="+url.QueryEscape(full), nil, &found); err != nil {
		return err
	}
	for _, r := range found.Result {
		if strings.Trim(r.Content, `"`) == value {
			return p.call(ctx, http.MethodDelete, records+"/"+r.ID, nil, nil)
		}
	}
	return nil
}

func (p *CloudDNS) changeDigitalOcean(ctx context.Context, set bool, zone, name, value string) error {
	records := "/domains/" + url.PathEscape(zone) + "/records"
	if set {
		return p.call(ctx, http.MethodPost, records, map[string]any{"type": "TXT", "name": name, "data": value, "ttl": cloudTTL}, nil)
	}
	var found struct {
		Records []struct {
			ID   int
			Data string
		} `json:"domain_records"`
	}
	if err := p.call(ctx, http.MethodGet, records+"?type=TXT&name="+url.QueryEscape(libdns.AbsoluteName(name, zone)), nil, &found); err != nil {
		return err
	}
	for _, r := range found.Records {
		if r.Data == value {
			return p.call(ctx, http.MethodDelete, records+"/"+strconv.Itoa(r.ID), nil, nil)
		}
	}
	return nil
}

func (p *CloudDNS) changeHetzner(ctx context.Context, set bool, zone, name, value string) error {
	path := "/zones/" + url.PathEscape(zone) + "/rrsets/" + url.PathEscape(name) + "/TXT/actions/"
	records := []map[string]string{{"value": quoted(value)}}
	if set {
		return p.call(ctx, http.MethodPost, path+"add_records", map[string]any{"ttl": cloudTTL, "records": records}, nil)
	}
	return p.call(ctx, http.MethodPost, path+"remove_records", map[string]any{"records": records}, nil)
}

// desecTTL is the least that deSEC takes.
const desecTTL = 3600

func (p *CloudDNS) changeDesec(ctx context.Context, set bool, zone, name, value string) error {
	sets := "/domains/" + url.PathEscape(zone) + "/rrsets/"
	var now struct{ Records []string }
	if err := p.call(ctx, http.MethodGet, sets+url.PathEscape(name)+"/TXT/", nil, &now); err != nil && !isNotFound(err) {
		return err
	}
	next := map[string]any{"subname": name, "type": "TXT", "ttl": desecTTL, "records": with(now.Records, set, value)}
	return p.call(ctx, http.MethodPatch, sets, []any{next}, nil) // a set without records is deleted
}

// gandiTTL is the least that Gandi takes.
const gandiTTL = 300

func (p *CloudDNS) changeGandi(ctx context.Context, set bool, zone, name, value string) error {
	path := "/domains/" + url.PathEscape(zone) + "/records/" + url.PathEscape(name) + "/TXT"
	var now struct {
		Values []string `json:"rrset_values"`
	}
	if err := p.call(ctx, http.MethodGet, path, nil, &now); err != nil && !isNotFound(err) {
		return err
	}
	next := with(now.Values, set, value)
	if len(next) == 0 {
		return p.call(ctx, http.MethodDelete, path, nil, nil)
	}
	return p.call(ctx, http.MethodPut, path, map[string]any{"rrset_ttl": gandiTTL, "rrset_values": next}, nil)
}

type powerSet struct {
	Name    string        `json:"name"`
	Type    string        `json:"type"`
	TTL     int           `json:"ttl"`
	Change  string        `json:"changetype,omitempty"`
	Records []powerRecord `json:"records"`
}

type powerRecord struct {
	Content  string `json:"content"`
	Disabled bool   `json:"disabled"`
}

func (p *CloudDNS) changePowerDNS(ctx context.Context, set bool, zone, name, value string) error {
	path := "/api/v1/servers/localhost/zones/" + url.PathEscape(zone+".")
	full := libdns.AbsoluteName(name, zone) + "."
	var now struct {
		Sets []powerSet `json:"rrsets"`
	}
	if err := p.call(ctx, http.MethodGet, path+"?rrset_type=TXT&rrset_name="+url.QueryEscape(full), nil, &now); err != nil {
		return err
	}
	var values []string
	for _, s := range now.Sets {
		if s.Type == "TXT" && strings.EqualFold(s.Name, full) {
			for _, r := range s.Records {
				values = append(values, r.Content)
			}
		}
	}
	next := powerSet{Name: full, Type: "TXT", TTL: cloudTTL, Change: "REPLACE", Records: []powerRecord{}}
	for _, v := range with(values, set, value) {
		next.Records = append(next.Records, powerRecord{Content: v})
	}
	if len(next.Records) == 0 {
		next.Change = "DELETE"
	}
	return p.call(ctx, http.MethodPatch, path, map[string]any{"rrsets": []powerSet{next}}, nil)
}
