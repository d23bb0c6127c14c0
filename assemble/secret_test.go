package assemble

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

func TestSecretIsKept(t *testing.T) {
	folder, log := t.TempDir(), slog.New(slog.DiscardHandler)
	first := secretOf(folder, log)
	if len(first) != secretSize || !bytes.Equal(first, secretOf(folder, log)) {
		t.Fatal("not the same after a restart")
	}
	info, err := os.Stat(filepath.Join(folder, "secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v: others may read it", info.Mode(), err)
	}
	if secretOf(filepath.Join(folder, "missing"), log) != nil {
		t.Fatal("a folder was made")
	}
}
