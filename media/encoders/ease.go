package encoders

import "slices"

// Ease is how much of an encoder's work is left out while its machine cannot keep
// up. It never changes what a decoder is configured with: the parameter sets are
// the same at every ease, so that segments follow each other without a
// discontinuity. An encoder that cannot do so has none.
type Ease int

// The eases, in the order in which work is shed.
const (
	Full        Ease = iota // what the ladder asks for
	NoLookahead             // no looking ahead at pictures to come
	Quickest                // the cheapest search besides
)

func (e Ease) String() string {
	return [...]string{"as the ladder has it", "without lookahead", "with the quickest search"}[e]
}

const easeReason = "the machine cannot keep up: less work, the same parameter sets"

// Eases tells whether the encoder can work less on air.
func (e Encoder) Eases() bool { return e.ease != nil }

// eased puts an ease's options in the place of those that they override.
func (e Encoder) eased(options []Option, r Rung) []Option {
	if r.Ease == Full || e.ease == nil {
		return options
	}
	for _, o := range e.ease(r) {
		o.Reason = easeReason
		i := slices.IndexFunc(options, func(have Option) bool { return have.Key == o.Key && have.Of == o.Of })
		if i < 0 {
			options = append(options, o)
			continue
		}
		options[i].Value, options[i].Reason = o.Value, o.Reason
	}
	return options
}

// x264Ease keeps references, B pictures, CABAC, 8x8 transform and weighting of P
// pictures: all of those stand in the parameter sets.
func x264Ease(r Rung) []Option {
	of := part("x264-params")
	o := []Option{of("rc-lookahead", "0", ""), of("mbtree", "0", ""), of("b-adapt", "0", "")}
	if r.Ease >= Quickest {
		o = append(o, of("me", "dia", ""), of("subme", "1", ""), of("trellis", "0", ""), of("mixed-refs", "0", ""), of("direct", "spatial", ""),
			// A search this short has no psychovisual part, for which chroma is quantised
			// finer; the offset stands in the picture parameter set.
			of("chroma-qp-offset", preset(r.Preset, "", "", "-2", "-2"), ""))
	}
	return o
}

// x265Ease keeps what stands in its parameter sets: references, B pictures,
// partitions, loop filters, weighting, sign hiding.
func x265Ease(r Rung) []Option {
	of := part("x265-params")
	o := []Option{of("rc-lookahead", "5", ""), of("cutree", "0", ""), of("b-adapt", "0", "")}
	if r.Ease >= Quickest {
		o = append(o, of("me", "dia", ""), of("subme", "0", ""), of("rd", "2", ""), of("early-skip", "1", ""), of("fast-intra", "1", ""), of("b-intra", "0", ""))
	}
	return o
}

func nvencEase(r Rung) []Option {
	o := []Option{{Key: "rc-lookahead", Value: "0"}, {Key: "delay", Value: "1"}, {Key: "multipass", Value: "disabled"}}
	if r.Ease >= Quickest {
		o = append(o, Option{Key: "preset", Value: "p1"})
	}
	return o
}
