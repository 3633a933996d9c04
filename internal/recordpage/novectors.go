//go:build !(goexperiment.simd && amd64 && go1.26 && !go1.27)

package recordpage

// vectors decodes nothing where Go has none.
func vectors(_, _ []byte) (got, used int) { return 0, 0 }
