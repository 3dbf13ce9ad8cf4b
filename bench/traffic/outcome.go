package traffic

// Outcome is the JSON that the command load prints: the report, and what the processes of the
// server used meanwhile.
type Outcome struct {
	Report
	// Polled says that the generator polled instead of sleeping, so that it wanted a whole
	// processor.
	Polled bool `json:"polled"`
	// ServerCPUSeconds is user and system time of all the server's processes in the window,
	// resolution 10 ms per process.
	ServerCPUSeconds float64 `json:"server_cpu_seconds,omitempty"`
	// ServerCPUUsPerCall is ServerCPUSeconds by WindowCompleted, in microseconds; ServerCPUShare is
	// it by WindowSeconds, 1 a whole processor.
	ServerCPUUsPerCall float64 `json:"server_cpu_us_per_call,omitempty"`
	ServerCPUShare     float64 `json:"server_cpu_share,omitempty"`
	// CoreSoftIRQSeconds is irq and softirq time of the server's core: to be added with
	// CONFIG_IRQ_TIME_ACCOUNTING only.
	CoreSoftIRQSeconds float64 `json:"core_softirq_seconds,omitempty"`
	// CoreBusySeconds is the time the server's core did anything: what exceeds ServerCPUSeconds was
	// somebody else's.
	CoreBusySeconds float64 `json:"core_busy_seconds,omitempty"`
}

// Disturbed says that somebody else had a noticeable part of the processors in the window: of the
// generator's, which should have had its own all the time if it polled, or of the server's, if that
// was watched. Figures of such a run mean little.
func (o *Outcome) Disturbed() bool {
	if o.WindowSeconds <= 0 {
		return false
	}
	own := o.CPUUsPerCall * float64(o.WindowCompleted) / 1e6 / o.WindowSeconds
	others := 0.0
	if o.CoreBusySeconds > 0 {
		others = (o.CoreBusySeconds - o.ServerCPUSeconds) / o.WindowSeconds
	}
	return o.Polled && own < 1-disturbedShare || others > disturbedShare
}
