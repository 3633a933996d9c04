package filedestination_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/filedestination"
)

func TestFileIsADestination(t *testing.T) {
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
		folder := filepath.Join(t.TempDir(), "failed")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, "failed.ndjson")
		return destinationtest.Rig{
			Destination: filedestination.Open(path),
			Accepted: func(t *testing.T) (accepted []destinationtest.Accepted) {
				text, err := os.ReadFile(path)
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				for line := range bytes.Lines(text) {
					accepted = append(accepted, destinationtest.Accepted{Body: bytes.TrimSuffix(line, []byte("\n"))})
				}
				return accepted
			},
			Refuse: func(t *testing.T) func() {
				away := folder + ".away"
				if err := os.Rename(folder, away); err != nil {
					t.Fatal(err)
				}
				return func() {
					if err := os.Rename(away, folder); err != nil {
						t.Fatal(err)
					}
				}
			},
		}
	})
}

func TestFileSaysPathAndCause(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "failed.ndjson")
	err := filedestination.Open(path).Send(t.Context(), destinationtest.Sample(1))
	var cause *fs.PathError
	if !errors.As(err, &cause) || cause.Path != path || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want a *fs.PathError of %s", err, path)
	}
	if err := filedestination.Open("").Validate(); err == nil {
		t.Error("an empty path is valid")
	}
	if err := filedestination.Open("").Send(t.Context(), destinationtest.Sample(1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("an empty path: error %v, want ErrRefused", err)
	}
}

// TestFileEndsATornLine is a disk that was full in the middle of a line.
func TestFileEndsATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "failed.ndjson")
	if err := os.WriteFile(path, []byte(`{"requestContext":{"requ`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := filedestination.Open(path).Send(t.Context(), destinationtest.Sample(1)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	if len(lines) != 3 || lines[2] != "" {
		t.Fatalf("the file has the lines %q", lines)
	}
	if _, err := destination.ParseEnvelope([]byte(lines[1])); err != nil {
		t.Error(err)
	}
}

func TestFileIsNobodyElsesBusiness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "failed.ndjson")
	d := filedestination.Open(path)
	if err := d.Send(t.Context(), destinationtest.Sample(1)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the file has the mode %v, want 0600", got)
	}
	if got := d.Counts(); got != (destination.Counts{Sent: 1}) {
		t.Errorf("counted %+v", got)
	}
}

func ExampleOpen() {
	folder, err := os.MkdirTemp("", "failed")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "failed.ndjson")

	// Set as OnFailure of a consumer. Here a failure is sent by hand.
	onFailure := filedestination.Open(path)
	if err := onFailure.Send(context.Background(), destinationtest.Sample(1)); err != nil {
		fmt.Println(err)
	}

	text, err := os.ReadFile(path)
	if err != nil {
		fmt.Println(err)
	}
	for line := range bytes.Lines(text) {
		e, err := destination.ParseEnvelope(line)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%s: %s\n", e.Failure.Condition, e.Failure.Records[0].Data)
	}
	// Output: RetryAttemptsExhausted: {"click":0}
}
