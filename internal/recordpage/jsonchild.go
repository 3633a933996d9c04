package recordpage

import "fmt"

// children reads the shards that are told at the end of one.
func (r *jsonReader) children() error {
	if err := r.open('['); err != nil {
		return err
	}
	r.page.Children = []Child{}
	for first := true; ; first = false {
		if ok, err := r.item(first); !ok || err != nil {
			return err
		}
		if len(r.page.Children) >= MaxRecords {
			return fmt.Errorf("there are more than %d child shards", MaxRecords)
		}
		var c Child
		if err := r.child(&c); err != nil {
			return fmt.Errorf("child shard %d: %w", len(r.page.Children), err)
		}
		r.page.Children = append(r.page.Children, c)
	}
}

func (r *jsonReader) child(to *Child) error {
	return r.members(4, func(name []byte) (known bool, err error) {
		switch string(name) {
		case "ShardId":
			to.ID, err = r.own()
		case "ParentShards":
			to.Parents, err = r.parents()
		case "HashKeyRange":
			to.Hashes = &HashRange{}
			err = r.hashes(to.Hashes)
		default:
			return false, nil
		}
		return true, err
	})
}

func (r *jsonReader) parents() ([]string, error) {
	if err := r.open('['); err != nil {
		return nil, err
	}
	list := []string{}
	for first := true; ; first = false {
		if ok, err := r.item(first); !ok || err != nil {
			return list, err
		}
		if len(list) >= MaxRecords {
			return nil, fmt.Errorf("there are more than %d parents", MaxRecords)
		}
		if none, err := r.null(); err != nil {
			return nil, err
		} else if none {
			list = append(list, "")
			continue
		}
		id, err := r.own()
		if err != nil {
			return nil, err
		}
		list = append(list, *id)
	}
}

func (r *jsonReader) hashes(to *HashRange) error {
	return r.members(5, func(name []byte) (known bool, err error) {
		switch string(name) {
		case "StartingHashKey":
			to.Start, err = r.own()
		case "EndingHashKey":
			to.End, err = r.own()
		default:
			return false, nil
		}
		return true, err
	})
}
