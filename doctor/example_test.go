package doctor_test

import (
	"fmt"
	"time"

	"github.com/towpath/towpath/doctor"
	"github.com/towpath/towpath/shard"
)

// Facts come from doctor.Gather; what they mean is a function of them.
func ExampleExamine() {
	report := doctor.Examine(doctor.Facts{
		Application: "clickstream",
		Stream:      shard.Stream{Name: "clicks", Retention: 24 * time.Hour},
		Lags:        []doctor.Lag{{Shard: "shardId-000000000003", Behind: 20 * time.Hour}},
	})
	for _, f := range report.Findings {
		if f.Level == doctor.Failure {
			fmt.Println(f.Check+":", f.Found)
			fmt.Println("→", f.Do)
		}
	}
	fmt.Println(report)
	// Output:
	// retention: shardId-000000000003 is 20 h behind, 83 % of the 24 h that records are kept: soon they are lost
	// → let records be kept longer (IncreaseStreamRetentionPeriod), then find out why it is slow: towpath lag, towpath top
	// 1 failure, 0 warnings
}
