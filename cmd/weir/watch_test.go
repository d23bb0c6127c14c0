package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "weir.hcl"), filepath.Join(dir, "link")
	write := func(text string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		os.Chtimes(file, at, at)
	}
	write("one", time.Hour)
	os.Symlink("nowhere", link)
	paths := []string{file, link}
	var w watch
	look := func(what string, want bool) {
		t.Helper()
		if got := w.changed(paths); got != want {
			t.Errorf("%s: changed is %v, want %v", what, got, want)
		}
	}
	look("the first look", false)
	look("nothing happened", false)
	write("two, longer", time.Hour)
	look("just written", false)
	write("three, longer still", time.Hour)
	look("written again", false)
	look("at rest", true)
	look("reported already", false)
	write("three, longer STILL", time.Minute)
	look("same size, other time", false)
	look("same size, at rest", true)
	os.Remove(link)
	os.Symlink("weir.hcl", link)
	look("a link leads somewhere now", false)
	look("a link, at rest", true)
	os.Remove(file)
	look("removed", false)
	look("removed, at rest", true)
	paths = append(paths, filepath.Join(dir, "more"))
	look("one more to look at", false)
	look("one more, at rest", false)

	// A change that came between reading the file and the first look at it.
	w = watch{seen: looks(paths)}
	write("just now", 0)
	look("the first look at a file that has just been written", false)
	look("the second", true)
	look("the third", false)
}
