package kinesisfake

type encryptionInput struct {
	named
	EncryptionType string
	KeyId          string
}

// startEncryption is StartStreamEncryption. Descriptions tell of it and nothing
// is encrypted: everything here is as safe as memory is.
func (s *Service) startEncryption(in encryptionInput) (nothing, error) {
	if in.EncryptionType != "KMS" || in.KeyId == "" {
		return nothing{}, refusal("ValidationException", "EncryptionType must be KMS, with a KeyId.")
	}
	return s.encrypt(in, in.KeyId)
}

// stopEncryption is StopStreamEncryption.
func (s *Service) stopEncryption(in encryptionInput) (nothing, error) { return s.encrypt(in, "") }

func (s *Service) encrypt(in encryptionInput, key string) (nothing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.changeable(in.named)
	if err != nil {
		return nothing{}, err
	}
	t.kms = key
	return nothing{}, nil
}
