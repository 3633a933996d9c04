package main

import "github.com/urfave/cli/v3"

// commands are all of them, in the order of the help: looking, then the stream,
// then acting, then what surrounds it.
func commands() []*cli.Command {
	return []*cli.Command{
		leasesCommand(),
		shardsCommand(),
		workersCommand(),
		lagCommand(),
		topCommand(),
		dashboardCommand(),
		tailCommand(),
		recordCommand(),
		playCommand(),
		matchCommand(),
		pauseCommand(),
		resumeCommand(),
		limitCommand(),
		releaseCommand(),
		failuresCommand(),
		seekCommand(),
		resetCommand(),
		forkCommand(),
		doctorCommand(),
		costCommand(),
		migrateCommand(),
		iamCommand(),
		healthCommand(),
	}
}
