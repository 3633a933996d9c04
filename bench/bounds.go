package main

// bound is what a figure may be at most. All are ratios within one run or counts
// of what is allocated: what a machine does not change.
type bound struct {
	figure string
	most   float64
	why    string
}

// bounds are what -gate holds figures against. Each lies above what was measured
// by what runs on a busy machine go apart, and below what losing what it guards
// would cost. One that is raised needs its reason here.
var bounds = []bound{
	{"towpath / sdk, 1 KB, CPU", 0.50, "0.32 was measured; the SDK's own decoder instead of towpath's is 1.1"},
	{"towpath / sdk, 100 B, CPU", 0.60, "an allocation for each record is 0.2 of it"},
	{"towpath / floor, 1 KB, CPU", 4.5, "where the SDK's calls have got dearer too, the ratio to them tells nothing"},
	{"towpath, allocations a record, 1 KB", 0.5, "the decoder and the engine take none for each record: what there is is a page's"},
	{"towpath, allocations a record, 100 B", 0.1, "as at 1 KB, with ten times the records in a byte"},
	{"towpath, bytes a record, 1 KB", 2500, "payload and record once, and what a page takes; a copy of the payload is 1 KB more"},
	{"idle shard, KB held", 64, "two goroutines with small stacks, and the shard's state"},
	{"lanes, one against 64: share of linear that is lost", 0.15, "a handler that waits needs no processor: what is lost, the lanes lose"},
}
