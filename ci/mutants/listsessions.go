package main

// The conditions of the session table, and what is told to the fleet in it.
//
// Not in the list, as it is redundant: attribute_exists(id) in revoke. A row that is
// not there has no hb that could equal the one seen.

var sessions = []mutant{
	{Name: "register-over-the-dead", File: writes, In: "register = write{", Old: "condition: `attribute_not_exists(id)`", New: "condition: ``",
		Breaks: "a late duplicate of a registration does not bring a revoked session back", By: suite("sessions")},
	part("heartbeat-of-nobody", "heartbeat = write{", "attribute_exists(id) AND ",
		"a heartbeat of a session that is gone says so", suite("sessions")),
	part("heartbeat-of-the-dead", "heartbeat = write{", " AND attribute_not_exists(revokedBy)",
		"a session that was revoked never beats again", suite("sessions")),
	{Name: "heartbeat-compares-and-sets", File: writes, In: "heartbeat = write{", Old: "hb = hb + :one,", New: "hb = :one,",
		Breaks: "a repeated heartbeat moves what observers see, or it extends the belief of one alone", By: suite("sessions")},
	part("revoke-the-beating", "revoke = write{", " AND hb = :seen",
		"a worker that has beaten since it was seen is not revoked", suite("sessions")),
	part("revoke-twice", "revoke = write{", " AND attribute_not_exists(revokedBy)",
		"of many that revoke a session one is told that it has", suite("sessions")),
	part("leave-though-revoked", "leave = write{", "attribute_not_exists(revokedBy) AND ",
		"a revoked session stays, for those who take its leases", suite("sessions")),
	part("leave-with-unread-hints", "leave = write{", " AND attribute_not_exists(inbox)",
		"a worker that was given a lease reads of it before it is gone", suite("sessions")),
	{Name: "bury-the-living", File: writes, In: "bury = write{", Old: "condition: `attribute_exists(revokedBy)`", New: "condition: ``",
		Breaks: "only a revoked session is deleted by others", By: suite("sessions")},
	part("tell-nobody", "tell = write{", "attribute_exists(hb) AND ",
		"a hint makes no session", suite("sessions")),
	part("tell-the-dead", "tell = write{", " AND attribute_not_exists(revokedBy)",
		"nobody is told to start who is dead", suite("sessions")),
	{Name: "forget-makes-a-session", File: writes, In: "forget = write{", Old: ", condition: `attribute_exists(hb)`", New: "",
		Breaks: "to forget a hint makes no session", By: suite("sessions")},
	{Name: "claim-over-another-stream", File: writes, In: "claim = write{", Old: "condition: `attribute_not_exists(streamArn)`", New: "condition: ``",
		Breaks: "of two applications that claim the tables for different streams one is refused", By: test{Package: tables, Run: contract}},
	{Name: "control-over-another", File: writes, In: "setControl = write{", Old: "condition: `{gen = :gen}`", New: "condition: ``",
		Breaks: "what the fleet is told is as its writer saw it, so that shares never exceed the limit", By: suite("controls")},
	{Name: "take-though-a-session-is-there", File: writes, In: "noSession = write{", Old: "condition: `attribute_not_exists(id)`", New: "condition: `attribute_not_exists(nothing)`",
		Breaks: "an owner that is believed to have no session is not robbed when it has one", By: suite("take")},
}
