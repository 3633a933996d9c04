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
	{"towpath / sdk, 1 KB, CPU", 0.44, "0.29 to 0.30 were measured, and 0.32 to 0.36 when base64 was decoded by tables; with the SDK's own decoder in the place of towpath's it is 1.1"},
	{"towpath / sdk, 100 B, CPU", 0.57, "0.42 was measured, and 0.75 when the engine still copied each record"},
	{"towpath-pooled / sdk, 1 KB, CPU", 0.38, "0.24 to 0.26 were measured, and 0.28 to 0.33 when base64 was decoded by tables"},
	{"towpath / floor, 1 KB, CPU", 3.4, "2.3 was measured; if the SDK's calls got dearer, the ratio to its loop would not tell"},
	{"towpath, allocations a record, 1 KB", 0.25, "0.15 were measured: neither decoder nor engine allocates for each record, what there is, is for a page"},
	{"towpath, allocations a record, 100 B", 0.13, "0.095 were measured, for a page as at 1 KB"},
	{"towpath, bytes a record, 1 KB", 2000, "1,600 were measured: payload and record once; one more copy of the payload is 1 KB"},
	{"towpath-pooled, bytes a record, 1 KB", 400, "230 were measured: the record without its payload"},
	{figureIdle, 100, "80 were measured; over the gate's two hundred shards is spread what a process holds once, so that it is 66 for a thousand"},
}
