package doctor

import "github.com/towpath/towpath/shard"

// ofStream are the rows of one stream in a table of many, with the ids that its
// listing has, and how many rows are of other streams. In a table of a single
// stream that is all of them.
func ofStream(rows []shard.Lease, stream shard.Stream) (own []shard.Lease, others int) {
	this, err := shard.KeyOf(stream)
	for _, row := range rows {
		key, id, many := shard.SplitID(row.Key)
		if !many {
			own = append(own, row)
			continue
		}
		if err != nil || !key.SameName(this) {
			others++
			continue
		}
		row.Shard = id
		row.Parents, row.Children = plain(row.Parents), plain(row.Children)
		own = append(own, row)
	}
	return own, others
}

func plain(ids []string) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = shard.PlainID(id)
	}
	return all
}
