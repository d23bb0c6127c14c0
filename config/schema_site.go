package config

import "slices"

func siteBlock() *block {
	return &block{
		name: "site", label: "its name, and its host where hosts says nothing", many: true,
		doc: "A set of hosts and what is done with requests for them. What a site sets, its routes inherit; what a route sets, wins.",
		example: `site "shop.example.com" {
  hosts = ["shop.example.com", "www.shop.example.com"]
  use   = [policy.public]

  redirect "www.shop.example.com/*" { to = "https://shop.example.com/{*}" }

  route "/*" {
    proxy = upstream.shop
  }

  errors {
    page "404" { file = "/srv/shop/404.html" }
    page "5xx" { file = "/srv/shop/sorry.html" }
  }

  expect "GET /old" { status = 404 }
}`,
		attrs: slices.Concat([]attr{
			{name: "hosts", kind: hosts, defDoc: "the label", example: `["example.com", "*.example.com"]`, doc: `The hosts: "example.com", "*.example.com" for all below it, "*" for any.`},
			{name: "on", kind: references, of: "listener", defDoc: "every listener", doc: "The listeners that serve the site."},
			{name: "tls", kind: text, oneOf: []string{FromACME, FromInternal, FromNowhere}, defDoc: `"auto"`, doc: "Where the certificate for encrypted listeners comes from: a public authority by ACME (auto), an authority of weir's own (internal), which clients have to be told to trust, or nowhere: then the site is not served on them. For files there is the block tls."},
		}, settingAttrs()),
		blocks: slices.Concat([]*block{
			routeBlock(), siteRedirectBlock(), siteRespondBlock(), expectBlock(), siteTLSBlock(),
		}, settingBlocks()),
	}
}

func policyBlock() *block {
	return &block{
		name: "policy", label: "its name, for policy.NAME", many: true,
		doc: "Settings by name, for sites and routes to use.",
		example: `policy "public" {
  max_body = "10MB"
  response {
    set = { "Strict-Transport-Security" = "max-age=63072000" }
  }
}`,
		attrs:  settingAttrs(),
		blocks: settingBlocks(),
	}
}

// settingAttrs may stand in a policy, a site and a route.
func settingAttrs() []attr {
	return []attr{
		{name: "use", kind: references, of: "policy", doc: "Policies whose settings hold where nothing is said here; the later one wins."},
		{name: "allow", kind: clients, defDoc: "everybody", doc: "Networks of clients that are let in, and files of networks; all others are refused."},
		{name: "deny", kind: clients, defDoc: "nobody", doc: "Networks of clients that are refused, and files of networks."},
		{name: "max_body", kind: size, zero: true, defDoc: "no limit", doc: "How big the body of a request may be."},
		{name: "host", kind: template, defDoc: "as the upstream says", doc: `The Host that servers see: "pass" for the client's, "server" for the server's own address, or a template.`},
		{name: "forwarded", kind: text, def: ForwardedX, oneOf: forwardedModes(), doc: "How servers are told who the client is: X-Forwarded-For, -Proto, -Host and -Prefix, or Forwarded."},
		{name: "forwarded_port", kind: boolean, def: "false", doc: "Servers also get X-Forwarded-Port."},
		{name: "via", kind: boolean, def: "true", doc: "Servers are told of weir in Via, which also ends loops."},
		{name: "log", kind: logs, of: "log", defDoc: "all access logs", doc: "The access logs that exchanges are written to; false: none."},
		laterAttr("cache", "The store that answers are kept in."),
		laterAttr("links", "Rewriting of links in answers."),
	}
}

func forwardedModes() []string {
	return []string{ForwardedX, ForwardedRFC7239, ForwardedBoth, ForwardedOff}
}

// settingBlocks may stand in a policy, a site and a route.
func settingBlocks() []*block {
	return []*block{
		transformBlock("request", "Changes requests on their way to servers: remove, set, add, default, in this order.", true),
		transformBlock("response", "Changes answers on their way to clients: remove, set, add, default, in this order.", false),
		errorsBlock(),
		requestIDBlock(),
		timeoutsBlock("How long servers may take, where it is not as the upstream says.", "", "", ""),
		laterBlock("compress", "Compression of answers."),
		laterBlock("waf", "A web application firewall."),
		laterBlock("limit", "A limit on requests."),
		laterBlock("flood", "Protection against floods."),
		laterBlock("bots", "What automatic clients may do."),
		laterBlock("hide", "What answers do not tell of the servers."),
		laterBlock("auth", "Who may come in."),
		laterBlock("cache", "How answers are kept."),
		laterBlock("files", "Files of a folder."),
		laterBlock("mount", "Another website in the URL space of this one."),
	}
}

func transformBlock(name, doc string, request bool) *block {
	b := &block{name: name, doc: doc, attrs: append(queryAttrs("header fields"), []attr{
		{name: "add", kind: fields, doc: "The header fields that are added to those there are."},
		{name: "default", kind: fields, doc: "The header fields that have this value where there is none."},
	}...)}
	if request {
		b.attrs = append(b.attrs, laterAttr("decompress", "Undo a Content-Encoding, for servers that cannot."))
		b.blocks = []*block{{
			name: "query", doc: "Changes the parameters of the query: remove, then set.",
			attrs: queryAttrs("parameters"),
		}}
	}
	return b
}

func queryAttrs(what string) []attr {
	return []attr{
		{name: "remove", kind: texts, doc: "Names of " + what + " that are taken away; a last * stands for any rest."},
		{name: "set", kind: fields, doc: "The " + what + " that have this value, whatever they had."},
	}
}

func errorsBlock() *block {
	return &block{
		name: "errors",
		doc:  "The pages that go with failures.",
		attrs: []attr{
			{name: "upstream", kind: boolean, def: "false", doc: "The pages also take the place of what servers answer; otherwise they are for weir's own failures alone."},
		},
		blocks: []*block{{
			name: "page", label: `a status "404" or a class "5xx"`, many: true,
			doc: "The page for a status or a class of them; that for the status wins.",
			attrs: []attr{
				{name: "file", kind: text, doc: "A file, relative to the folder of the configuration file."},
				{name: "body", kind: text, doc: "The text itself, where there is no file. Here and in files placeholders such as {status}, {status.text} and {request.id} are filled in, escaped; other braces stay as they are."},
				{name: "type", kind: text, defDoc: "by the file's name", example: `"text/html; charset=utf-8"`, doc: "The media type."},
			},
		}},
	}
}

func requestIDBlock() *block {
	return &block{
		name: "request_id",
		doc:  "An id for each exchange, for logs and for the header fields of request and answer.",
		attrs: []attr{
			{name: "header", kind: text, def: "X-Request-ID", doc: "The field that carries it."},
			{name: "accept", kind: text, def: "trusted", oneOf: []string{"trusted", "anyone", "never"}, doc: "Whose id is taken over."},
			{name: "format", kind: text, def: "uuid", oneOf: []string{"uuid", "hex"}, doc: "What an id looks like: a UUID (version 7), or 128 random bits in hex."},
			{name: "hide", kind: boolean, def: "false", doc: "The id does not go to servers."},
			{name: "return", kind: boolean, def: "false", doc: "The id goes back to the client, too."},
		},
	}
}

func routeBlock() *block {
	return &block{
		name: "route", label: `its path: "/about" exactly, "/api/*" with all below, "/users/{id}/*" with named segments, "~ ^/a(\\d+)$" by a regular expression`, many: true, repeat: true, pattern: true,
		doc: "What a site does with requests that match: exactly one of proxy, split, respond and redirect. The most specific route wins, whatever the order.",
		example: `route "/api/*" {
  method = ["GET", "POST"]
  header = { "X-Api-Version" = "2" }
  proxy  = upstream.api
  request {
    set    = { "X-Request-ID" = "{request.id}" }
    remove = ["X-Debug"]
  }
}`,
		attrs: slices.Concat([]attr{
			{name: "method", kind: texts, example: `["GET", "POST"]`, defDoc: "any", doc: "Methods, one of which the request must have; GET takes HEAD as well."},
			{name: "header", kind: matchers, doc: "Header fields that the request must have."},
			{name: "query", kind: matchers, doc: "Query parameters that the request must have."},
			{name: "cookie", kind: matchers, doc: "Cookies that the request must have."},
			{name: "clients", kind: networks, defDoc: "any", doc: "Networks, one of which the client must be in; others are left to other routes."},
			{name: "when", kind: text, example: `"request.method in ['GET', 'POST']"`, doc: "An expression (CEL) that must be true."},
			{name: "proxy", kind: target, of: "upstream", doc: "The upstream that answers, or the address of a server."},
		}, settingAttrs()),
		blocks: slices.Concat([]*block{
			splitBlock(), mirrorBlock(), respondBlock(), redirectBlock(), rewriteBlock(),
		}, settingBlocks()),
	}
}

func splitBlock() *block {
	return &block{
		name: "split",
		doc:  "Spreads requests over upstreams, and sends copies to another.",
		attrs: []attr{
			{name: "to", kind: weights, of: "upstream", required: true, example: `{ "upstream.api" = 95, "upstream.next" = 5 }`, doc: "The upstreams and their shares."},
			{name: "by", kind: template, defDoc: "chance", example: `"{client.ip}"`, doc: "The same value goes the same way."},
			{name: "mirror", kind: reference, of: "upstream", doc: "An upstream that gets a copy of each request; its answers are dropped."},
		},
	}
}

func mirrorBlock() *block {
	return &block{
		name: "mirror",
		doc:  "Sends copies of requests to another upstream, beside proxy or split; its answers are dropped.",
		attrs: []attr{
			{name: "to", kind: reference, of: "upstream", required: true, example: "upstream.next", doc: "The upstream that gets them."},
			{name: "share", kind: percent, min: 1, max: 100, def: "100%", doc: "Of how many requests."},
			{name: "max_body", kind: size, zero: true, def: "64KiB", doc: "Requests with more content are not copied; 0B: only those without."},
			{name: "concurrent", kind: whole, min: 1, max: 1 << 20, def: "64", doc: "How many copies may be under way, each for 10s at most; further ones are dropped."},
		},
	}
}

func respondAttrs() []attr {
	return []attr{
		{name: "status", kind: whole, min: 200, max: 599, def: "200", doc: "The status."},
		{name: "body", kind: template, doc: "The body."},
		{name: "type", kind: text, def: "text/plain; charset=utf-8", doc: "The media type."},
		{name: "headers", kind: fields, doc: "Further header fields."},
	}
}

func respondBlock() *block {
	return &block{name: "respond", doc: "A fixed answer.", attrs: respondAttrs()}
}

func siteRespondBlock() *block {
	return &block{name: "respond", label: `a path as in route, also with a host before it`, many: true, pattern: true, doc: "A route with a fixed answer, in one line.", attrs: respondAttrs()}
}

func redirectAttrs() []attr {
	return []attr{
		{name: "to", kind: template, required: true, example: `"https://shop.example.com/{*}"`, doc: "Where to; what the path's names took may be used."},
		{name: "status", kind: whole, min: 301, max: 308, defDoc: "301 to GET and HEAD, 308 to all others", doc: "The status: 301 and 308 are for ever, 302 and 307 for now; 307 and 308 keep the method; 303 makes it GET."},
		{name: "drop_query", kind: boolean, def: "false", doc: "The query of the request is not kept; it never is where to has a \"?\"."},
	}
}

func redirectBlock() *block {
	return &block{name: "redirect", doc: "Sends the client elsewhere.", attrs: redirectAttrs()}
}

func siteRedirectBlock() *block {
	return &block{name: "redirect", label: `a path as in route, also with a host before it: "www.example.com/*"`, many: true, pattern: true, doc: "A route that sends the client elsewhere, in one line.", attrs: redirectAttrs()}
}

func rewriteBlock() *block {
	return &block{
		name: "rewrite",
		doc:  "Changes what servers are asked for, in the order of this list.",
		attrs: []attr{
			{name: "strip_prefix", kind: text, example: `"/api"`, doc: "Whole segments that are taken off the path's beginning; a path without them stays as it is."},
			{name: "path", kind: text, example: `"^/old/(.*)$"`, doc: "A regular expression (RE2); what it matches in the path becomes replace."},
			{name: "replace", kind: text, example: `"/new/$1"`, doc: "What matches of path become; $1 and ${name} are its groups (written $${name})."},
			{name: "to", kind: template, example: `"/index.php?id={id}"`, doc: "The new path, and query where there is a \"?\"; without one the query stays."},
			{name: "add_prefix", kind: text, example: `"/v2"`, doc: "What is put before the path."},
			{name: "prefix_header", kind: boolean, def: "true", doc: "Servers learn in X-Forwarded-Prefix what was stripped."},
			{name: "location", kind: boolean, def: "true", doc: "What was stripped is put back into Location of answers."},
		},
	}
}

func expectBlock() *block {
	return &block{
		name: "expect", label: `a request: "GET /old"`, many: true, repeat: true,
		doc: "A test of the configuration, run by weir check and before each reload, which it refuses if it fails.",
		attrs: []attr{
			{name: "host", kind: text, defDoc: "the site's first host", doc: "The host that is asked."},
			{name: "client", kind: text, defDoc: "127.0.0.1", doc: "The address that asks."},
			{name: "headers", kind: pairs, doc: "Header fields of the request."},
			{name: "status", kind: whole, min: 100, max: 599, doc: "The status of the answer, where weir itself gives it."},
			{name: "route", kind: text, doc: "The path of the route that takes it."},
			{name: "upstream", kind: reference, of: "upstream", doc: "The upstream that answers."},
			{name: "location", kind: text, doc: "Where it is redirected to."},
		},
	}
}
