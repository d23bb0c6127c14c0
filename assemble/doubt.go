package assemble

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/cert"
	"weir/config"
)

// warn says what of a site's certificates works and is odd.
func (b *builder) warn(v *siteVersion, t *config.SiteTLS, text, hint string) {
	b.say(config.Diagnostic{Severity: config.Warning, Pos: b.posOf(v, t), Summary: fmt.Sprintf("site %q: tls: %s", v.Name, text), Hint: hint})
}

// unsealed judges what a site says of TLS that none of its listeners speaks: certificates of clients cannot be asked for there,
// and without them nobody is to be served.
func (b *builder) unsealed(v *siteVersion, t *config.SiteTLS) error {
	switch {
	case v.TLS == nil || t.From == config.FromNowhere:
	case t.Clients.Asks():
		return &placedError{b.posOf(v, t), fmt.Errorf("site %q: tls: nobody can be asked for a certificate: none of the site's listeners has a tls block", v.Name)}
	default:
		b.warn(v, t, "the site is served unencrypted: none of its listeners has a tls block", "write tls {} in one of them")
	}
	return nil
}

// filesOf is files for a site, with a word where clients will refuse what is in them.
func (b *builder) filesOf(v *siteVersion, t *config.SiteTLS, names []string) (cert.Source, error) {
	source, err := b.files(t.Pair)
	f, ok := source.(*cert.Files)
	if err != nil || !ok {
		return source, err
	}
	if odd := f.Warning(time.Now()); odd != "" {
		b.warn(v, t, fmt.Sprintf("the certificate in %q is %s: clients refuse it", f, odd), "have whatever writes the file renew it; weir reads it anew when it changes")
	}
	leaf := f.Leaf()
	for _, n := range names {
		if len(leaf.DNSNames) > 0 && !f.Covers(n) {
			b.warn(v, t, fmt.Sprintf("the certificate in %q is not for %q: clients refuse it", f, n), "it is for "+strings.Join(leaf.DNSNames[:min(len(leaf.DNSNames), 5)], ", "))
		}
	}
	return source, nil
}

// doubts says of which names certificates will not come, or from elsewhere than one may think.
func (b *builder) doubts(v *siteVersion, t *config.SiteTLS, public, own []string) {
	if a := b.config.ACME; a == nil || a.DNS == nil {
		if i := slices.IndexFunc(public, func(n string) bool { return strings.HasPrefix(n, "*.") }); i >= 0 && !b.config.BrokenACME {
			b.warn(v, t, fmt.Sprintf("there will be no certificate for %q: authorities certify wildcards by dns-01 alone", public[i]),
				`write a dns block in acme { ... }, tls = "internal" for an authority of weir's own, or on_demand for a certificate for each name`)
		}
	}
	for _, n := range own {
		if t.From == "" && !strings.ContainsAny(n, ".:") && n != "localhost" {
			b.warn(v, t, fmt.Sprintf("no public authority certifies %q: its certificate is of weir's own authority, which clients have to trust", n),
				`write the whole name, such as "`+n+`.example.com", or tls = "internal" if that is meant`)
		}
	}
}
