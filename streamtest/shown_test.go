package streamtest_test

import "testing"

// What the package's page shows holds.
func TestShownTestPasses(t *testing.T) { everythingIsHandled(t) }
