package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/urfave/cli/v3"
)

// livez is where a worker on the same host is asked, if nothing else is said: the
// port and path of the manifests in deploy.
const livez = "http://127.0.0.1:8080/livez"

// mostReport bounds how much of an answer is read. A report of a thousand shards is
// half of it.
const mostReport = 1 << 20

func healthCommand() *cli.Command {
	return &cli.Command{
		Name:      "health",
		Usage:     "ask a worker whether it lives, for health checks of containers without a shell",
		ArgsUsage: "[URL]",
		Description: "URL is where the worker answers with package health, " + livez + " if it is left out. With\n" +
			"/readyz it is asked whether it is ready. Nothing is asked of AWS.\n\n" +
			"Exit status: 0 if the worker is well; 1 if it says that it is not, with why; 2 if the call is wrong; 4 if\n" +
			"it does not answer within -timeout.",
		OnUsageError: calledWrongly,
		Action: func(ctx context.Context, c *cli.Command) error {
			where := livez
			switch c.Args().Len() {
			case 0:
			case 1:
				where = c.Args().First()
			default:
				return usageError{fmt.Errorf("health takes one URL, and there are %d arguments", c.Args().Len())}
			}
			to, err := url.Parse(where)
			if err != nil || to.Scheme != "http" && to.Scheme != "https" || to.Host == "" {
				return usageError{fmt.Errorf("%q is no address of a worker: want one such as %s", where, livez)}
			}
			ctx, cancel := context.WithTimeout(ctx, c.Duration("timeout"))
			defer cancel()
			return askHealth(ctx, c, to.String())
		},
	}
}

// askHealth prints what a worker says of itself. One that is not well is an error
// with its own words.
func askHealth(ctx context.Context, c *cli.Command, where string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return usageError{err}
	}
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := stay.Do(request)
	if err != nil {
		// The error names the method and the address.
		return unreachableError{fmt.Errorf("the worker does not answer: %w", err)}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostReport))
	if err != nil {
		return unreachableError{fmt.Errorf("read what the worker says of itself: %w", err)}
	}
	var report struct {
		Worker             string
		Problems, Warnings []string
	}
	said := json.Unmarshal(body, &report) == nil
	if answer.StatusCode != http.StatusOK {
		why := strings.Join(report.Problems, "; ")
		if why == "" {
			why = answer.Status
		}
		return fmt.Errorf("ask %s: the worker is not well: %s", where, why)
	}
	if wantsJSON(c) && said {
		_, err = c.Root().Writer.Write(body)
		return err
	}
	line := "well"
	if report.Worker != "" {
		line += ": " + printable(report.Worker)
	}
	_, err = fmt.Fprintln(c.Root().Writer, line)
	for _, warning := range report.Warnings {
		_, more := fmt.Fprintln(c.Root().Writer, "warning: "+printable(warning))
		err = errors.Join(err, more)
	}
	return err
}
