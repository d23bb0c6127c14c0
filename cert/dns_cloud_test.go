package cert

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/libdns/libdns"
)

// A cloud plays the APIs as their documentation describes them, for the one name _acme-challenge.a in example.com.
type cloud struct {
	t      *testing.T
	values []string // as zone files have them
}

const (
	cloudName = "_acme-challenge.a"
	cloudFull = "_acme-challenge.a.example.com"
)

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer secret" && r.Header.Get("Authorization") != "Token secret" && r.Header.Get("X-API-Key") != "secret" {
		http.Error(w, "who are you", http.StatusUnauthorized)
		return
	}
	text, _ := io.ReadAll(r.Body)
	answer := c.answer(r, text)
	if answer == nil {
		http.Error(w, "nothing of that name", http.StatusNotFound)
		return
	}
	json.NewEncoder(w).Encode(answer)
}

type object = map[string]any

// answer does what is asked; nil: there is no such thing.
func (c *cloud) answer(r *http.Request, text []byte) any {
	var body struct {
		Content, Data string
		Records       []struct{ Value string }
		Values        []string   `json:"rrset_values"`
		Sets          []powerSet `json:"rrsets"`
	}
	var list []struct{ Records []string }
	if len(text) > 0 && text[0] == '[' {
		json.Unmarshal(text, &list)
	} else {
		json.Unmarshal(text, &body)
	}
	switch what := r.Method + " " + r.URL.RequestURI(); what {
	case "GET /zones?name=example.com":
		return object{"result": []object{{"id": "z1"}}}
	case "POST /zones/z1/dns_records":
		return c.add(body.Content)
	case "GET /zones/z1/dns_records?type=TXT&name=" + cloudFull:
		return object{"result": c.listed("id", "content", false)}
	case "POST /domains/example.com/records":
		return c.add(quoted(body.Data))
	case "GET /domains/example.com/records?type=TXT&name=" + cloudFull:
		return object{"domain_records": c.listed("id", "data", true)}
	case "POST /zones/example.com/rrsets/" + cloudName + "/TXT/actions/add_records":
		return c.add(body.Records[0].Value)
	case "POST /zones/example.com/rrsets/" + cloudName + "/TXT/actions/remove_records":
		return c.remove(slices.Index(c.values, body.Records[0].Value))
	case "GET /domains/example.com/rrsets/" + cloudName + "/TXT/":
		return c.unlessEmpty(object{"records": c.values})
	case "PATCH /domains/example.com/rrsets/":
		c.values = list[0].Records
		return object{}
	case "GET /domains/example.com/records/" + cloudName + "/TXT":
		return c.unlessEmpty(object{"rrset_values": c.values})
	case "PUT /domains/example.com/records/" + cloudName + "/TXT":
		c.values = body.Values
		return object{}
	case "DELETE /domains/example.com/records/" + cloudName + "/TXT":
		c.values = nil
		return object{}
	case "GET /api/v1/servers/localhost/zones/example.com.?rrset_type=TXT&rrset_name=" + cloudFull + ".":
		return object{"rrsets": []powerSet{c.powerSet(), {Name: "other.example.com.", Type: "TXT", Records: []powerRecord{{Content: `"x"`}}}}}
	case "PATCH /api/v1/servers/localhost/zones/example.com.":
		return c.replace(body.Sets[0])
	default:
		if id, ok := strings.CutPrefix(what, "DELETE /zones/z1/dns_records/"); ok {
			return c.removeID(id)
		}
		if id, ok := strings.CutPrefix(what, "DELETE /domains/example.com/records/"); ok {
			return c.removeID(id)
		}
		c.t.Errorf("asked for %s", what)
		return nil
	}
}

func (c *cloud) add(value string) any {
	c.values = append(c.values, value)
	return object{}
}

func (c *cloud) remove(i int) any {
	if i < 0 {
		return nil
	}
	c.values = slices.Delete(c.values, i, i+1)
	return object{}
}

func (c *cloud) removeID(id string) any {
	n, err := strconv.Atoi(id)
	if err != nil {
		return nil
	}
	return c.remove(n - 1)
}

// listed are the records, with numbers from 1 on for ids.
func (c *cloud) listed(id, content string, plain bool) []object {
	list := []object{}
	for i, v := range c.values {
		var n any = strconv.Itoa(i + 1)
		if plain {
			n, v = i+1, strings.Trim(v, `"`)
		}
		list = append(list, object{id: n, content: v})
	}
	return list
}

func (c *cloud) unlessEmpty(answer any) any {
	if len(c.values) == 0 {
		return nil
	}
	return answer
}

func (c *cloud) powerSet() powerSet {
	s := powerSet{Name: cloudFull + ".", Type: "TXT"}
	for _, v := range c.values {
		s.Records = append(s.Records, powerRecord{Content: v})
	}
	return s
}

func (c *cloud) replace(s powerSet) any {
	c.values = nil
	for _, r := range s.Records {
		c.values = append(c.values, r.Content)
	}
	if (s.Change == "DELETE") != (len(c.values) == 0) || s.Name != cloudFull+"." {
		c.t.Errorf("changed by %+v", s)
	}
	return object{}
}

func TestClouds(t *testing.T) {
	txt := func(v string) []libdns.Record { return []libdns.Record{libdns.TXT{Name: cloudName, Text: v}} }
	for _, kind := range CloudDNSKinds() {
		t.Run(kind, func(t *testing.T) {
			c := &cloud{t: t}
			server := httptest.NewServer(c)
			defer server.Close()
			p, err := NewCloudDNS(kind, "secret", server.URL+"/")
			if err != nil {
				t.Fatal(err)
			}
			defer p.client.CloseIdleConnections()
			for _, step := range []struct {
				change func() ([]libdns.Record, error)
				want   string
			}{
				{func() ([]libdns.Record, error) { return p.AppendRecords(t.Context(), "example.com.", txt("one")) }, `["one"]`},
				{func() ([]libdns.Record, error) { return p.AppendRecords(t.Context(), "example.com.", txt("two")) }, `["one" "two"]`},
				{func() ([]libdns.Record, error) { return p.DeleteRecords(t.Context(), "example.com.", txt("one")) }, `["two"]`},
				{func() ([]libdns.Record, error) { return p.DeleteRecords(t.Context(), "example.com.", txt("two")) }, `[]`},
			} {
				if _, err := step.change(); err != nil || fmt.Sprint(c.values) != step.want {
					t.Errorf("%v, %v, want %s", c.values, err, step.want)
				}
			}
			p.token = "wrong"
			if _, err := p.AppendRecords(t.Context(), "example.com.", txt("one")); err == nil || !strings.Contains(err.Error(), "status 401 who are you") || strings.Contains(err.Error(), "wrong") {
				t.Errorf("a wrong token: %v", err)
			}
		})
	}
	for _, tt := range [][3]string{{"nobody", "token", ""}, {"cloudflare", "", ""}, {"powerdns", "token", ""}} {
		if _, err := NewCloudDNS(tt[0], tt[1], tt[2]); err == nil {
			t.Errorf("%q is possible", tt)
		}
	}
}
