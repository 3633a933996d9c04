package streamtest

import (
	"strconv"
	"strings"

	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// parkedTable is where records of parked keys are kept.
const parkedTable = Application + "-parked"

// parkedWrote notes which records are parked: the position of a shard may pass
// them. It reads the rows apart from the driver, so that a mistake there does not
// hide itself here.
func (c *checker) parkedWrote(before, after dynamofake.Item) {
	row := after
	if row == nil {
		row = before
	}
	if !strings.HasPrefix(row["place"].Text(), "rows/") {
		return
	}
	sequence, rest, _ := strings.Cut(row["part"].Text(), ".")
	index, first := strings.CutSuffix(rest, ".000")
	if !first {
		return // another part of a large record
	}
	sub, err := strconv.ParseInt(index, 10, 64)
	if err != nil {
		return
	}
	c.Parked(strings.TrimLeft(sequence, "0"), sub, after != nil)
}
