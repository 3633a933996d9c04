package measure

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/bench/ready"
)

// on starts a server for the length of a test.
func on(t *testing.T) ready.Address {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	told, over := make(chan ready.Address, 1), make(chan error, 1)
	go func() {
		over <- ready.Serve(ctx, false, func(a ready.Address) error {
			told <- a
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return <-told
}

// Each consumer counts what was asked for, plain and over TLS.
func TestConsumersCountRecords(t *testing.T) {
	server := on(t)
	for _, name := range []string{"towpath", "towpath-pooled", "towpath-cbor", "sdk", "floor"} {
		for _, tls := range []bool{false, true} {
			task := Task{
				Consumer: name, Server: server, TLS: tls, Stream: ready.Stream{Shards: 2, Records: 50, Bytes: 100},
				Application: strings.ReplaceAll(t.Name(), "/", "-") + name, Warm: 500, Count: 2000, Batch: 100, Lanes: 1,
				Profile: filepath.Join(t.TempDir(), "profile"),
			}
			u, err := Run(t.Context(), task)
			if err != nil {
				t.Fatal(err)
			}
			if u.Records < 1900 || u.Records > 2200 || u.CPU <= 0 || u.Wall <= 0 || u.Allocs <= 0 || u.Bytes <= 0 {
				t.Errorf("%s, TLS %t: %+v", name, tls, u)
			}
		}
	}
}

func TestIdleShardsAreLeftAlone(t *testing.T) {
	u, err := Run(t.Context(), Task{
		Consumer: "idle", Server: on(t), Stream: ready.Stream{Shards: 30}, Application: t.Name(),
		Batch: 100, Lanes: 1, Quiet: 10 * time.Millisecond, Idle: 600 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if u.Calls < 30 || u.Calls > 300 || u.Held <= 0 || u.CPU <= 0 || u.Wall < 600*time.Millisecond {
		t.Errorf("%+v", u)
	}
}

func TestWhatCannotBeMeasuredIsRefused(t *testing.T) {
	for _, task := range []Task{{Consumer: "nobody", Stream: ready.Stream{Shards: 1}}, {Consumer: "sdk"}} {
		if _, err := Run(t.Context(), task); err == nil {
			t.Errorf("%+v was measured", task)
		}
	}
	server := on(t)
	server.Plain = "http://127.0.0.1:1"
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := Run(ctx, Task{Consumer: "floor", Server: server, Stream: ready.Stream{Shards: 1, Records: 1, Bytes: 1}, Count: 1}); err == nil {
		t.Error("a server that is not there was measured")
	}
}
