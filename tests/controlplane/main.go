// Command controlplane is a Kubernetes control plane in one binary.
//
// Seaworthy's live tests audit a real API server, not a mock of one. Linking
// the components into one binary builds their shared half (client-go,
// apimachinery, protobuf) once instead of five times.
//
// The first argument names the component; the others are that component's own.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	_ "time/tzdata" // CronJob time zones, also where the machine has no tzdata

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
)

const usage = "usage: controlplane etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kwok|kwok-stages [arguments]"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}

	if os.Getenv("CONTROLPLANE_STOP_WITH_STDIN") != "" {
		go stopWithStdin()
	}

	// Every component reads os.Args by itself, so from here on it sees the
	// arguments it would have as a program of its own.
	os.Args = os.Args[1:]

	switch component := os.Args[0]; component {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		run(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		run(controllermanager.NewControllerManagerCommand())
	case "kube-scheduler":
		run(scheduler.NewSchedulerCommand())
	case "kwok":
		if err := runKwok(); err != nil {
			fmt.Fprintln(os.Stderr, "kwok:", err)
			os.Exit(1)
		}
	case "kwok-stages":
		fmt.Print(kwokStages())
	default:
		fmt.Fprintf(os.Stderr, "no component %q\n%s\n", component, usage)
		os.Exit(2)
	}
}

// stopWithStdin ends the process when its standard input closes, which the
// kernel does when the test that holds the other end is gone, however it died.
// A test that is killed therefore leaves no server behind.
func stopWithStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}

func run(command *cobra.Command) {
	os.Exit(cli.Run(command))
}

// runKwok is kwok's own main, whose set-up is not importable.
func runKwok() error {
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}

	ctx, _ := kwoklog.InitFlags(signals.SetupSignalContext(), flags)
	ctx, err := kwokconfig.InitFlags(ctx, flags)
	if err != nil {
		return err
	}

	command := kwok.NewCommand(ctx)
	// cobra would look for a boolean flag --version, and the Kubernetes
	// components have registered theirs, of another type, for the whole program.
	command.Version = ""
	command.PersistentFlags().AddFlagSet(flags)
	return command.ExecuteContext(ctx)
}

// kwokStages is what kwok is told with --config: a node is ready, and a
// scheduled pod runs, at once. The files come from kwok's module, so they
// always fit the kwok that is linked in.
func kwokStages() string {
	return strings.Join([]string{
		nodefast.DefaultNodeInit,
		podfast.DefaultPodReady,
		podfast.DefaultPodComplete,
		podfast.DefaultPodDelete,
	}, "\n---\n")
}
