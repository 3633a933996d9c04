package consumer

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// unlimitedMemory is what the default budget is a quarter of where neither
// GOMEMLIMIT nor a container sets a limit.
const unlimitedMemory = 1 << 30

// memoryLimit is how much memory the process may use, in bytes: the smaller of
// GOMEMLIMIT and the container's limit.
func memoryLimit() int64 {
	limit := debug.SetMemoryLimit(-1) // a negative argument only reads it
	for _, file := range []string{
		"/sys/fs/cgroup/memory.max",                   // version 2
		"/sys/fs/cgroup/memory/memory.limit_in_bytes", // version 1
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// Version 2 says "max" for none, version 1 a number near 2^63.
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
			limit = min(limit, n)
		}
	}
	if limit > math.MaxInt64/2 {
		return unlimitedMemory
	}
	return limit
}
