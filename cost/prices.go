package cost

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Month is 30 days, as in docs/cost.md.
const Month = 30 * 24 * time.Hour

// Prices are those of one region, in dollars.
type Prices struct {
	// Region is the region's name, such as us-east-1.
	Region string `json:"region"`
	// Since is the month since which they hold.
	Since string `json:"since"`
	// Source is where they are published.
	Source string `json:"source"`
	// MillionWritten and MillionRead are a million write and read request units of
	// DynamoDB, for tables billed by request.
	MillionWritten float64 `json:"million_written"`
	MillionRead    float64 `json:"million_read"`
	// FanOutShardHour is an hour of one consumer at one shard of a provisioned
	// stream with enhanced fan-out, and FanOutGB a gigabyte that it reads.
	FanOutShardHour float64 `json:"fan_out_shard_hour"`
	FanOutGB        float64 `json:"fan_out_gb"`
	// OnDemandGB is a gigabyte read of an on-demand stream by polling, and
	// OnDemandFanOutGB by enhanced fan-out.
	OnDemandGB       float64 `json:"on_demand_gb"`
	OnDemandFanOutGB float64 `json:"on_demand_fan_out_gb"`
	// MillionInvoked is a million invocations of Lambda, and GBSecond a second of
	// one with a gigabyte of memory, on x86.
	MillionInvoked float64 `json:"million_invoked"`
	GBSecond       float64 `json:"gb_second"`
}

// The lists are those of https://aws.amazon.com/dynamodb/pricing/on-demand/,
// https://aws.amazon.com/kinesis/data-streams/pricing/ and
// https://aws.amazon.com/lambda/pricing/. The three regions have one price list.
// Other regions are not here because nobody has held them against their source:
// give theirs as Prices.
var lists = []Prices{
	american("us-east-1"), american("us-east-2"), american("us-west-2"),
}

func american(region string) Prices {
	return Prices{
		Region: region, Since: "2024-11", Source: "https://aws.amazon.com/dynamodb/pricing/on-demand/",
		MillionWritten: 0.625, MillionRead: 0.125,
		FanOutShardHour: 0.015, FanOutGB: 0.013, OnDemandGB: 0.04, OnDemandFanOutGB: 0.05,
		MillionInvoked: 0.20, GBSecond: 0.0000166667,
	}
}

// Default is the region of docs/cost.md.
const Default = "us-east-1"

// In are the prices of a region. The error of one that is not known names those
// that are.
func In(region string) (Prices, error) {
	var known []string
	for _, p := range lists {
		if p.Region == region {
			return p, nil
		}
		known = append(known, p.Region)
	}
	return Prices{}, fmt.Errorf("the prices of region %q are not known: known are those of %s", region, strings.Join(known, ", "))
}

// Validate says what is wrong with prices, all at once.
func (p Prices) Validate() error {
	var problems []error
	for _, one := range []struct {
		name  string
		price float64
	}{
		{"million_written", p.MillionWritten}, {"million_read", p.MillionRead},
		{"fan_out_shard_hour", p.FanOutShardHour}, {"fan_out_gb", p.FanOutGB},
		{"on_demand_gb", p.OnDemandGB}, {"on_demand_fan_out_gb", p.OnDemandFanOutGB},
		{"million_invoked", p.MillionInvoked}, {"gb_second", p.GBSecond},
	} {
		if !(one.price >= 0) || one.price > 1e6 {
			problems = append(problems, fmt.Errorf("%s is %v, want dollars", one.name, one.price))
		}
	}
	return errors.Join(problems...)
}

// Units are what so many units of DynamoDB a second, written and read, cost a
// month.
func (p Prices) Units(written, read float64) float64 {
	return (written*p.MillionWritten + read*p.MillionRead) / 1e6 * Month.Seconds()
}
