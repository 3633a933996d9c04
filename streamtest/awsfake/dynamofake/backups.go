package dynamofake

// describeBackups is DescribeContinuousBackups. Nothing is backed up: it only
// tells what UpdateContinuousBackups was told.
func (s *Service) describeBackups(in tableNameInput) (any, error) {
	t, err := s.find(in.TableName)
	if err != nil {
		return nil, missingBackups(err, in.TableName)
	}
	return t.backups(), nil
}

// updateBackups is UpdateContinuousBackups.
func (s *Service) updateBackups(in struct {
	TableName                        string
	PointInTimeRecoverySpecification struct{ PointInTimeRecoveryEnabled bool }
}) (any, error) {
	t, err := s.find(in.TableName)
	if err != nil {
		return nil, missingBackups(err, in.TableName)
	}
	t.recovers = in.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled
	return t.backups(), nil
}

func (t *table) backups() object {
	state := "DISABLED"
	if t.recovers {
		state = "ENABLED"
	}
	return object{"ContinuousBackupsDescription": object{
		"ContinuousBackupsStatus":        "ENABLED",
		"PointInTimeRecoveryDescription": object{"PointInTimeRecoveryStatus": state},
	}}
}

// missingBackups is the answer of these two for a table that is missing, which
// has a code of its own.
func missingBackups(err error, name string) error {
	if e, ok := err.(*apiError); ok && e.code == "ResourceNotFoundException" {
		return &apiError{code: "TableNotFoundException", message: "Table not found: " + name}
	}
	return err
}
