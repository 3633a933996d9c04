package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"
)

// somebody is a terminal with what is typed at it.
type somebody struct {
	io.Reader
	bytes.Buffer
}

func (*somebody) IsTerminal() bool { return true }

func (s *somebody) Read(p []byte) (int, error) { return s.Reader.Read(p) }

// Nothing is done but with -yes, or if somebody types the whole word.
func TestNothingIsWrittenUnlessSomebodySaysYes(t *testing.T) {
	for _, c := range []struct {
		name, typed string
		terminal    bool
		args        []string
		want        bool
		says        string
	}{
		{"with -yes", "", false, []string{"-yes"}, true, ""},
		{"yes typed", "yes\n", true, nil, true, "Type yes to do it: "},
		{"yes typed without a line end", "yes", true, nil, true, "Type yes"},
		{"y typed", "y\n", true, nil, false, "nothing is written"},
		{"nothing typed", "\n", true, nil, false, "nothing is written"},
		{"the end typed", "", true, nil, false, "nothing is written"},
		{"nobody there", "yes\n", false, nil, false, "nothing is written: add -yes to do it"},
	} {
		there := &somebody{Reader: strings.NewReader(c.typed)}
		var in io.Reader = there
		var out io.Writer = there
		if !c.terminal {
			in, out = strings.NewReader(c.typed), &there.Buffer
		}
		var got bool
		tool := &cli.Command{Reader: in, Writer: out, Flags: []cli.Flag{yes()}, Action: func(_ context.Context, c *cli.Command) (err error) {
			got, err = agreed(c)
			return err
		}}
		if err := tool.Run(t.Context(), append([]string{"tool"}, c.args...)); err != nil || got != c.want || !strings.Contains(there.String(), c.says) {
			t.Errorf("%s: agreed %v, %v, and said %q; want %v, and %q", c.name, got, err, there.String(), c.want, c.says)
		}
	}
}
