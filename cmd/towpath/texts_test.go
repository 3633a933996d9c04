package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"
)

// Every command that a text shows, in a block or in the middle of a sentence, is
// there, with the flags it is shown with.
func TestCommandsInTextsExist(t *testing.T) {
	texts, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	guides, err := filepath.Glob("../../docs/guides/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts = append(append(texts, guides...), "../../README.md")
	call := regexp.MustCompile("(?:^|[^\\w./-])(?:go run \\S*cmd/)?towpath ((?:-|[a-z])[^`\n|#]*)")
	shown := regexp.MustCompile("(?ms)^```.*?^```|`[^`\n]+`")
	seen := 0
	for _, text := range texts {
		data, err := os.ReadFile(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range shown.FindAllString(string(data), -1) {
			if strings.HasPrefix(code, "```go\n") {
				continue
			}
			if code == "`towpath failure`" { // what events of EventBridge are called
				continue
			}
			for _, m := range call.FindAllStringSubmatch(strings.Trim(code, "`"), -1) {
				seen++
				if err := understood(strings.Fields(m[1])); err != nil {
					t.Errorf("%s shows %q: %v", text, "towpath "+m[1], err)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d commands were found in the texts", seen)
	}
}

// understood looks a call up: its command, a command of that, and their flags.
func understood(words []string) error {
	tool := &cli.Command{Commands: commands()}
	at, flags := tool, []cli.Flag(nil)
	for _, word := range words {
		if name, ok := strings.CutPrefix(word, "-"); ok && name != "" {
			name, _, _ = strings.Cut(strings.TrimPrefix(name, "-"), "=")
			name = strings.TrimRight(name, ".,;:)")
			known := slices.Contains([]string{"help", "output", "o", "color", "timeout", "insecure-endpoint"}, name) || slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
			if !known {
				return fmt.Errorf("there is no flag -%s", name)
			}
			continue
		}
		next := at.Command(word)
		switch {
		case next != nil:
			at, flags = next, append(flags, next.Flags...)
		case len(at.Commands) > 0:
			return fmt.Errorf("there is no command %q", word)
		}
	}
	return nil
}
