package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// licensed is a folder with a licence of these words.
func licensed(t *testing.T, words string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte(words), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func listed(modules ...string) string {
	return `{"Module":{"Path":"example.org/self","Main":true}}` + "\n{}\n" + strings.Join(modules, "\n")
}

func entry(path, version, dir string) string {
	return fmt.Sprintf(`{"Module":{"Path":%q,"Version":%q,"Sum":"h1:abc=","Dir":%q}}`, path, version, dir)
}

func TestBillNamesEveryModuleOnce(t *testing.T) {
	mit, apache := licensed(t, "MIT License\n\nPermission is hereby granted, free\nof charge, to any"), licensed(t, "  Apache License\n  Version 2.0, January 2004")
	in := listed(entry("example.org/b", "v1.2.3", mit), entry("example.org/a", "v0.1.0", apache), entry("example.org/b", "v1.2.3", mit))
	var first, again, list strings.Builder
	for _, out := range []*strings.Builder{&first, &again} {
		if err := run(strings.NewReader(in), out, false); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != again.String() {
		t.Error("the same modules made two documents")
	}
	var d document
	if err := json.Unmarshal([]byte(first.String()), &d); err != nil {
		t.Fatal(err)
	}
	if d.BOMFormat != "CycloneDX" || d.SpecVersion != "1.6" || len(d.SerialNumber) != len("urn:uuid:")+36 || d.Metadata.Component.PURL != "pkg:golang/example.org/self" {
		t.Errorf("the head is %+v", d)
	}
	var got []string
	for _, c := range d.Components {
		got = append(got, c.PURL+" "+c.Licences[0].Licence.ID+" "+c.Properties[0].Value)
	}
	want := "pkg:golang/example.org/a@v0.1.0 Apache-2.0 h1:abc=\npkg:golang/example.org/b@v1.2.3 MIT h1:abc="
	if strings.Join(got, "\n") != want || len(d.Dependencies[0].DependsOn) != 2 {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	if err := run(strings.NewReader(in), &list, true); err != nil || list.String() != "example.org/a v0.1.0 Apache-2.0\nexample.org/b v1.2.3 MIT\n" {
		t.Errorf("the list is %q, %v", list.String(), err)
	}
}

func TestUnknownLicenceFails(t *testing.T) {
	for in, want := range map[string]string{
		listed(entry("example.org/a", "v1.0.0", licensed(t, "GNU AFFERO GENERAL PUBLIC LICENSE"))): "none that is accepted",
		listed(entry("example.org/a", "v1.0.0", t.TempDir())):                                      "it has no licence",
		listed(entry("example.org/a", "v1.0.0", "")):                                               "it is not downloaded",
		listed(`{"Module":{"Path":"example.org/a","Replace":{"Path":"../a"}}}`):                    "is replaced by ../a",
		``:     "no main module",
		`go: `: "read what go list says",
	} {
		var out strings.Builder
		if err := run(strings.NewReader(in), &out, false); err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 {
			t.Errorf("%.60s: %v and %q, want …%s… and nothing", in, err, out.String(), want)
		}
	}
}
