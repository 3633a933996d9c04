package main

// justified are gosec's findings that are none, each with its reason. A finding
// in a file that is not named here fails the check.
var justified = []justification{
	{"G115", "shard/kpl/ internal/recordpage/ codec/msgpackcodec/walk.go checkpoint/dynamocheckpoint/parkedrecord.go batching/window/wire.go",
		"decoders of strangers' bytes: each number is compared with what is left of the input before it is used, and fuzz targets hold them to it"},
	{"G115", "batching/lanes.go consumer/holding.go shard/kinesisshards/reader.go shard/dynamoshards/reader.go checkpoint/dynamocheckpoint/parking.go destination/sqsdestination/mailbox.go",
		"numbers of the program's own, bounded by the validation of their options or a line above; lanes wrap a hash on purpose"},
	{"G115", "streamtest/ internal/ ci/ examples/ bench/", "fakes, models, checks and measurements, over numbers of their own"},

	{"G104", "reposition/mover.go internal/dice/dice.go", "crypto/rand.Read never returns an error since Go 1.24"},
	{"G104", "consumer/planning.go consumer/stateful.go reposition/plan.go", "the function that is called tells of its errors elsewhere, or writes into memory"},
	{"G104", "ci/ internal/lineartest/", "checks: what is written goes to a terminal, and what is closed is over"},

	{"G401", "shard/ batching/window/hashes.go streamtest/ ci/", "MD5 is how Kinesis hashes keys and the KPL frames its records, and S3 and SQS checksum; it protects nothing"},
	{"G501", "shard/ batching/window/hashes.go streamtest/ ci/", "as G401"},
	{"G505", "streamtest/awsfake/bucketfake/", "SHA-1 is one of S3's checksums"},

	{"G404", "ci/ examples/ internal/ bench/", "jitter of waits and polls, and faults and data drawn from a seed, so that a run can be repeated; worker ids come from crypto/rand"},

	{"G602", "shard/kpl/hashes.go", "halves of an MD5 sum, an array of 16 bytes"},
	{"G602", "internal/modelcheck/batches.go", "two lanes of two, and a list as long as the records of the model may be many"},

	{"G204", "ci/ bench/", "a check starts the workers and servers that its own source names"},
	{"G301", "ci/", "folders of a check, with logs for whoever runs it"},
	{"G302", "ci/", "as G301"},
	{"G304", "ci/ examples/ internal/ cmd/", "a file that is named on the command line by whoever runs the program"},
	{"G304", "consumer/memory.go", "the limits of the control group, at paths in the source"},
	{"G304", "destination/filedestination/", "a file in the folder that the program names; names are made of what Failure.ObjectKey has escaped"},
	{"G306", "internal/scenariotest/", "a scenario file of the repository, written with -update"},
}
