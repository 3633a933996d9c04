package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSoakTellsWhatGrowsFromWhatDoesNot(t *testing.T) {
	steady := func(int) int { return 2000 }
	for _, tt := range []struct {
		name           string
		rss, live, fds func(i int) int
		complaints     []string
	}{
		{"flat, after a warm-up that is not", func(i int) int { return 30000 + min(i, 60)*100 }, steady, func(i int) int { return 20 + i%2 }, nil},
		{"busy in the end, and idle now and then", func(int) int { return 30000 }, steady, func(i int) int {
			if i%10 == 9 {
				return 20
			}
			return 20 + i/20
		}, nil},
		{"memory", func(i int) int { return 30000 + 40*i }, steady, func(int) int { return 20 }, []string{"memory"}},
		{"what is in use", func(int) int { return 30000 }, func(i int) int { return 2000 + 8*i }, func(int) int { return 20 }, []string{"the heap has in use"}},
		{"descriptors", func(int) int { return 30000 }, steady, func(i int) int { return 20 + i/8 }, []string{"file descriptors"}},
	} {
		var text strings.Builder
		for i := range 240 { // an hour
			for _, worker := range []string{"w1", "w2"} {
				at := time.Duration(i) * betweenSamples
				text.WriteString(sampleLine(worker, at, tt.rss(i), tt.live(i), 40, tt.fds(i)))
			}
		}
		text.WriteString("w2\t12") // cut off
		g := &stage{settings: settings{folder: t.TempDir(), immortals: 2}}
		if err := os.WriteFile(filepath.Join(g.folder, "samples"), []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		u, err := g.usage()
		if u.Watched != 2 {
			t.Errorf("%s: watched %d, want 2", tt.name, u.Watched)
		}
		if (err == nil) != (tt.complaints == nil) {
			t.Errorf("%s: %v, want complaints of %v", tt.name, err, tt.complaints)
		}
		for _, c := range tt.complaints {
			if err != nil && !strings.Contains(err.Error(), c) {
				t.Errorf("%s: %v, want it to name %s", tt.name, err, c)
			}
		}
	}
}
