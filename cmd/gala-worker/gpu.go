package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/libav"
)

type gpuCmd struct {
	Device string `required:"" help:"UUID of the GPU, as nvidia-smi -L has it." placeholder:"GPU-…"`
	JSON   bool   `help:"One line of JSON."`
}

// Run tries the GPU that was named and no other: an agent has set this in the
// environment, a person need not.
func (c *gpuCmd) Run() error {
	for name, value := range map[string]string{"CUDA_VISIBLE_DEVICES": c.Device, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	r := libav.TryGPU(c.Device)
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	fmt.Printf("GPU %s: %s\n", c.Device, trialWord(r.Trouble, r.Said))
	for _, s := range r.Sessions {
		fmt.Printf("%s, %d bits: %s\n", s.Encoder, s.Depth, trialWord(s.Trouble, s.Said))
	}
	return nil
}

func trialWord(t media.GPUTrouble, said string) string {
	if t == "" {
		return "opens"
	}
	return fmt.Sprintf("%s: %s", t, said)
}
