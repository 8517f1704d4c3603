//go:build !cgo || !linux

package gpu

func query() Inventory {
	return Inventory{Reason: "this gala-agent was built without cgo and cannot ask the NVIDIA driver"}
}
