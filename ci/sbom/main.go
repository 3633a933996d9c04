// Command sbom writes the bill of materials of what this module links, in
// CycloneDX 1.6: each module with its version, checksum and licence. It reads
//
//	go list -deps -json=Module ./... | go run ./ci/sbom
//
// With -licences it writes a list for people instead. It fails for a module whose
// licence it does not know, or does not accept.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	list := flag.Bool("licences", false, "write the list of licences")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *list); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// module is one as the go command tells of it.
type module struct {
	Path, Version, Dir, Sum, GoVersion string
	Main                               bool
	Replace                            *module
	licence                            string
}

func run(in io.Reader, out io.Writer, list bool) error {
	self, modules, err := read(in)
	if err != nil {
		return err
	}
	var problems []error
	for i := range modules {
		m := &modules[i]
		if m.licence, err = licenceIn(m.Dir); err != nil {
			problems = append(problems, fmt.Errorf("%s %s: %w", m.Path, m.Version, err))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	if list {
		for _, m := range modules {
			if _, err := fmt.Fprintf(out, "%s %s %s\n", m.Path, m.Version, m.licence); err != nil {
				return err
			}
		}
		return nil
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(bill(self, modules))
}

// read takes the modules out of a stream of packages, sorted, and which of them
// is the main one.
func read(in io.Reader) (self module, others []module, err error) {
	d := json.NewDecoder(in)
	for {
		var p struct{ Module *module }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return self, nil, fmt.Errorf("read what go list says: %w", err)
		}
		m := p.Module
		switch {
		case m == nil: // of the standard library
		case m.Main:
			self = *m
		case m.Replace != nil:
			return self, nil, fmt.Errorf("%s is replaced by %s: a library does not replace what it requires", m.Path, m.Replace.Path)
		case !slices.ContainsFunc(others, func(o module) bool { return o.Path == m.Path }):
			others = append(others, *m)
		}
	}
	if self.Path == "" {
		return self, nil, errors.New("there is no main module in what go list says")
	}
	slices.SortFunc(others, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return self, others, nil
}

// accepted are the licences that this module may be linked with, each by words
// that stand in no other's text.
var accepted = []struct{ id, words string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"BSD-3-Clause", "neither the name of"},
	{"BSD-2-Clause", "redistribution and use in source and binary forms"},
	{"MIT", "permission is hereby granted, free of charge"},
	{"ISC", "permission to use, copy, modify, and/or distribute"},
}

// licenceIn reads the licence in the folder of a module.
func licenceIn(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("it is not downloaded")
	}
	names, err := filepath.Glob(filepath.Join(dir, "LICEN[CS]E*"))
	if err != nil || len(names) == 0 {
		return "", errors.New("it has no licence")
	}
	text, err := os.ReadFile(names[0])
	if err != nil {
		return "", err
	}
	plain := strings.ReplaceAll(strings.Join(strings.Fields(strings.ToLower(string(text))), " "), "license, version", "license version")
	for _, l := range accepted {
		if strings.Contains(plain, l.words) {
			return l.id, nil
		}
	}
	return "", fmt.Errorf("the licence in %s is none that is accepted", filepath.Base(names[0]))
}

// The parts of CycloneDX that are used, see
// https://cyclonedx.org/docs/1.6/json/.
type (
	document struct {
		BOMFormat    string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		SerialNumber string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version,omitempty"`
		PURL       string     `json:"purl"`
		Licences   []licence  `json:"licenses,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	licence struct {
		Licence struct {
			ID string `json:"id"`
		} `json:"license"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn,omitempty"`
	}
)

// bill is the document. It has no time in it, and its serial number is made of
// its contents, so that the same sources make the same document.
func bill(self module, modules []module) document {
	d := document{BOMFormat: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: metadata{componentOf(self)}, Components: []component{}}
	all := dependency{Ref: d.Metadata.Component.Ref}
	sum := sha256.New()
	for _, m := range modules {
		c := componentOf(m)
		d.Components = append(d.Components, c)
		all.DependsOn = append(all.DependsOn, c.Ref)
		fmt.Fprintln(sum, c.Ref, m.Sum, m.licence) // a hash's Write does not fail
	}
	d.Dependencies = []dependency{all}
	id := sum.Sum(nil)[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // a UUID of version 8
	h := hex.EncodeToString(id)
	d.SerialNumber = "urn:uuid:" + strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
	return d
}

func componentOf(m module) component {
	purl := "pkg:golang/" + m.Path
	if m.Version != "" {
		purl += "@" + m.Version
	}
	c := component{Type: "library", Ref: purl, Name: m.Path, Version: m.Version, PURL: purl}
	if m.licence != "" {
		l := licence{}
		l.Licence.ID = m.licence
		c.Licences = []licence{l}
	}
	if m.Sum != "" {
		c.Properties = []property{{"go:sum", m.Sum}}
	}
	return c
}
