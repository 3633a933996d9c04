package recordpage

// What the SDK's decoder accepts, or panics at, and this one refuses.
var (
	ErrTextTime = errTextTime
	ErrDeep     = errDeep
)
