package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// emulators are the servers of ci/servers.sh, started for one run.
type emulators struct{ environment []string }

// startEmulators starts them on free ports, with their logs in a folder. It is
// run in the repository's root.
func startEmulators(folder string) (e *emulators, kinesis, dynamo, sqs string, err error) {
	folder = filepath.Join(folder, "servers")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, "", "", "", fmt.Errorf("make a folder for the servers: %w", err)
	}
	e = &emulators{environment: append(os.Environ(), "EMULATORS_RUN="+folder)}
	names := []string{"KINESIS_PORT", "KINESIS_TLS_PORT", "DYNAMODB_PORT", "DYNAMODB_CONTROL_PORT", "MINISTACK_PORT"}
	ports, err := freePorts(len(names))
	if err != nil {
		return nil, "", "", "", err
	}
	for i, name := range names {
		e.environment = append(e.environment, name+"="+strconv.Itoa(ports[i]))
	}
	if err := e.ask("up"); err != nil {
		return nil, "", "", "", err
	}
	at := func(i int) string { return "http://127.0.0.1:" + strconv.Itoa(ports[i]) }
	return e, at(0), at(2), at(4), nil
}

// ask has the script do something.
func (e *emulators) ask(verb string) error {
	cmd := exec.Command("ci/servers.sh", verb)
	cmd.Env, cmd.Stdout, cmd.Stderr = e.environment, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ci/servers.sh %s: %w", verb, err)
	}
	return nil
}

// freePorts are ports of loopback that nothing listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
