package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

// command runs the program with the arguments given.
func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stderr")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out strings.Builder
	status = run(t.Context(), args, &out, f)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return status, out.String(), string(text)
}

// playInBubble is command with -json in virtual time.
func playInBubble(t *testing.T, args ...string) (status int, r report, stderr string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var stdout string
		status, stdout, stderr = command(t, append(args, "-json")...)
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatalf("%v: %s%s", err, stdout, stderr)
		}
	})
	return status, r, stderr
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clicks")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRowsThatDoNotParseAreCountedAndNamed(t *testing.T) {
	path := file(t, "who,when,what\nann,1710325274,home\nbob,soon,home\nann,1710327274,home\n")
	status, r, stderr := playInBubble(t, "-input", path, "-key", "who", "-time", "when", "-event", "what")
	if status != 0 || r.Read != 3 || r.Handled != 2 || r.Failed != 1 || r.Sessions != 2 {
		t.Errorf("status %d, %+v", status, r)
	}
	if !strings.Contains(stderr, path+`:3: column "when": time "soon"`) || !strings.Contains(stderr, "1 row did not parse") {
		t.Errorf("stderr: %s", stderr)
	}
}

func TestWhatCannotRunSaysWhy(t *testing.T) {
	tests := []struct {
		args   []string
		status int
		wants  string
	}{
		{[]string{"-nonsense"}, 2, "-nonsense"},
		{[]string{"-input", "no/such.csv"}, 1, "no/such.csv: no such file or directory"},
		{[]string{"-input", file(t, "a,b\n1,2\n")}, 1, `:1: there is no column "user_id"; there are "a", "b"; choose one with -key`},
	}
	for _, tt := range tests {
		status, stdout, stderr := command(t, tt.args...)
		if status != tt.status || !strings.Contains(stderr, tt.wants) || stdout != "" {
			t.Errorf("%q: status %d, stdout %q, stderr %q; want %d and %q", tt.args, status, stdout, stderr, tt.status, tt.wants)
		}
	}
	if status, stdout, stderr := command(t, "-h"); status != 0 || stderr != "" || !strings.Contains(stdout, "-input FILE") {
		t.Errorf("-h: status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}
