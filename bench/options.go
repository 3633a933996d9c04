package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/towpath/towpath/bench/ready"
)

// options are what the command line says.
type options struct {
	json, quick, gate, http2 bool

	consumers []string
	sizes     []int
	tls       []bool
	parts     []string
	runs      int
	shards    int
	page      int
	batch     int
	volume    float64
	profiles  string
	emulators string
}

// The consumers and parts that can be chosen.
var (
	allConsumers = []string{"towpath", "towpath-pooled", "towpath-cbor", "towpath-cbor-pooled", "sdk", "kcl", "floor"}
	allParts     = []string{"readers", "shards", "lanes", "idle"}
)

func parseOptions(args []string, log io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.BoolVar(&o.json, "json", false, "print the rows of the readers as a JSON array")
	flags.BoolVar(&o.quick, "quick", false, "within a minute: three runs of fewer records, TLS alone, without CBOR and the KCL")
	flags.BoolVar(&o.gate, "gate", false, "hold ratios and allocations against the bounds in bounds.go; status 1 if one is broken")
	flags.BoolVar(&o.http2, "http2", false, "offer HTTP/2 over TLS, which Go's clients then speak; the KCL is left on HTTP/1.1")
	consumers := flags.String("consumers", "", "who reads, between commas, of "+strings.Join(allConsumers, ",")+" (default all)")
	sizes := flags.String("sizes", "100,1024,10240", "bytes of a payload, between commas")
	tls := flags.String("tls", "", "on, off or both (default both)")
	parts := flags.String("parts", "readers", "what to measure, between commas, of "+strings.Join(allParts, ",")+"; or all")
	flags.IntVar(&o.runs, "runs", 0, "how often each is run (default 5; 3 with -quick)")
	flags.IntVar(&o.shards, "shards", 4, "of the streams that the readers read")
	flags.IntVar(&o.page, "page", 0, "records in one answer of GetRecords (default as many as the service gives: 10,000 or 10 MiB)")
	flags.IntVar(&o.batch, "batch", 10_000, "BatchSize of towpath: by default a page, which is what the KCL hands over")
	flags.Float64Var(&o.volume, "volume", 1, "multiplies how many records are read in one run")
	flags.StringVar(&o.profiles, "profile", "", "a folder in which the processor's profile of each run of towpath is kept")
	flags.StringVar(&o.emulators, "emulators", emulators(), "where ci/servers.sh and ci/interop.sh put DynamoDB Local and the KCL")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	var problems []error
	if flags.NArg() > 0 {
		problems = append(problems, fmt.Errorf("%q is no flag: there are no other arguments", flags.Arg(0)))
	}
	set := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if o.gate && (o.json || o.quick || set["consumers"] || set["parts"] || set["sizes"] || set["tls"]) {
		problems = append(problems, errors.New("-gate chooses what is measured: of the other flags it takes -runs, -volume and -profile"))
	}
	if o.json && set["parts"] {
		problems = append(problems, errors.New("-json prints the readers alone: leave -parts out"))
	}
	o = o.withDefaults(consumers, tls)
	if o.gate {
		*sizes = "100,1024"
	}
	for _, list := range []struct {
		flag, given string
		of          []string
		to          *[]string
	}{{"consumers", *consumers, allConsumers, &o.consumers}, {"parts", *parts, allParts, &o.parts}} {
		chosen, err := choose(list.given, list.of)
		if err != nil {
			problems = append(problems, fmt.Errorf("-%s: %w", list.flag, err))
		}
		*list.to = chosen
	}
	switch *tls {
	case "on":
		o.tls = []bool{true}
	case "off":
		o.tls = []bool{false}
	case "both":
		o.tls = []bool{false, true}
	default:
		problems = append(problems, fmt.Errorf("-tls is %q, want on, off or both", *tls))
	}
	var err error
	if o.sizes, err = o.readSizes(*sizes); err != nil {
		problems = append(problems, err)
	}
	return o, errors.Join(append(problems, o.validate())...)
}

// withDefaults fills in what depends on other flags.
func (o options) withDefaults(consumers, tls *string) options {
	if *consumers == "" {
		*consumers = strings.Join(allConsumers, ",")
		if o.quick || o.gate {
			*consumers = strings.Join(slices.DeleteFunc(slices.Clone(allConsumers), func(c string) bool { return c == "kcl" || strings.Contains(c, "-cbor") }), ",")
		}
	}
	if *tls == "" {
		*tls = "both"
		if o.quick || o.gate {
			*tls = "on"
		}
	}
	if o.runs == 0 {
		o.runs = 5
		if o.quick || o.gate {
			o.runs = 3
		}
	}
	switch {
	case o.quick:
		o.volume /= 8
	case o.gate:
		o.volume /= 5
	}
	return o
}

// choose takes from what there is, in its order.
func choose(given string, of []string) ([]string, error) {
	if given == "all" {
		return of, nil
	}
	var problems []error
	wanted := strings.Split(given, ",")
	for _, name := range wanted {
		if !slices.Contains(of, name) {
			problems = append(problems, fmt.Errorf("there is no %q, want some of %s", name, strings.Join(of, ",")))
		}
	}
	return slices.DeleteFunc(slices.Clone(of), func(name string) bool { return !slices.Contains(wanted, name) }), errors.Join(problems...)
}

func (o options) readSizes(given string) (sizes []int, err error) {
	for text := range strings.SplitSeq(given, ",") {
		size, numberErr := strconv.Atoi(text)
		if numberErr != nil {
			err = errors.Join(err, fmt.Errorf("-sizes: %q is no number of bytes", text))
			continue
		}
		sizes = append(sizes, size)
		if size < 1 {
			err = errors.Join(err, fmt.Errorf("-sizes: %d bytes, want at least 1", size))
		} else if streamErr := o.stream(size).Validate(); streamErr != nil {
			err = errors.Join(err, fmt.Errorf("-sizes, -page, -shards: %w", streamErr))
		}
	}
	return sizes, err
}

// stream is what the readers read.
func (o options) stream(size int) ready.Stream {
	records := o.page
	if records == 0 {
		records = ready.Page(size)
	}
	return ready.Stream{Shards: o.shards, Records: records, Bytes: size}
}

func (o options) validate() error {
	var problems []error
	problem := func(bad bool, format string, arguments ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, arguments...))
		}
	}
	problem(o.runs < 1, "-runs is %d, want at least 1", o.runs)
	problem(o.page < 0, "-page is %d, want at least 1", o.page)
	problem(o.batch < 1 || o.batch > 10_000, "-batch is %d, want 1 to 10,000", o.batch)
	problem(!(o.volume > 0), "-volume is %g, want more than 0", o.volume)
	if o.profiles != "" {
		info, err := os.Stat(o.profiles)
		problem(err != nil || !info.IsDir(), "-profile: %s is no folder", o.profiles)
	}
	return errors.Join(problems...)
}

// emulators is where what is not Go is installed.
func emulators() string {
	if folder := os.Getenv("EMULATORS_DIR"); folder != "" {
		return folder
	}
	return filepath.FromSlash(".emulators")
}
