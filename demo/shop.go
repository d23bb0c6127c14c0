package demo

import (
	_ "embed"
	"fmt"
	"strings"

	"weir"
)

//go:embed shop.html
var page string

// A product is something the shop sells.
type product struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Price string `json:"price"`
	Stock int    `json:"stock"`
}

var products = [...]product{
	{"1", "Red boots", "89.00", 12},
	{"2", "Blue sandals", "39.50", 40},
	{"3", "Green clogs", "54.00", 7},
}

// A shop serves pages. There are several of them, all alike, and each says which one it is.
type shop struct{ name string }

func (s shop) serve(x *weir.Exchange) error {
	switch path := x.Request.Path; {
	case path == "/":
		html(x, 200, strings.NewReplacer("{{server}}", s.name, "{{products}}", list()).Replace(page))
	case strings.HasPrefix(path, "/products/"):
		s.product(x, strings.TrimPrefix(path, "/products/"))
	default:
		html(x, 404, "<!doctype html><title>Not found</title><p>The shop has no such page. <a href=/>Home</a>")
	}
	return nil
}

func (s shop) product(x *weir.Exchange, id string) {
	for _, p := range products {
		if p.ID == id {
			html(x, 200, fmt.Sprintf("<!doctype html><title>%s</title><h1>%s</h1><p>%s euros, %d in stock. Served by %s. <a href=/>Home</a>",
				p.Name, p.Name, p.Price, p.Stock, s.name))
			return
		}
	}
	html(x, 404, "<!doctype html><title>Sold out</title><p>No such product. <a href=/>Home</a>")
}

func list() string {
	var b strings.Builder
	for _, p := range products {
		fmt.Fprintf(&b, "<li><a href=/products/%s>%s</a>, %s euros", p.ID, p.Name, p.Price)
	}
	return b.String()
}

func html(x *weir.Exchange, status int, text string) {
	x.Response.Status = status
	x.Response.Header.Set("Content-Type", "text/html; charset=utf-8")
	x.Response.Body = weir.NewBody(text)
}
