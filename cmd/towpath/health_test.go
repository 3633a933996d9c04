package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// workerCommand answers as a worker's health does, until the script is over.
func workerCommand(ts *testscript.TestScript, not bool, args []string) {
	if len(args) != 3 || not {
		ts.Fatalf("usage: worker NAME STATUS BODY")
	}
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://elsewhere.invalid/")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, args[2])
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL+"/livez")
}
