package message

import "testing"

// ordinary are messages as most senders write them.
var ordinary = []struct{ name, text string }{
	{"rfc3164", "<34>Oct 11 22:14:15 mymachine su[12345]: 'su root' failed for lonvick on /dev/pts/8 and some more text"},
	{"rfc3164-rfc3339", "<34>2003-10-11T22:14:15.003123+02:00 mymachine su[12345]: 'su root' failed for lonvick on /dev/pts/8"},
	{"rfc5424", "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog 12 ID47 - An application event log entry..."},
	{"rfc5424-sd", `<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog 12 ID47 [exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"] An application event log entry...`},
	{"json", `<13>{"time":"2003-10-11T22:14:15.003Z","level":"info","msg":"An application event log entry..."}`},
}

func BenchmarkParse(b *testing.B) {
	chain := DefaultChain(NewEnv("localhost"))
	for _, o := range ordinary {
		m := Message{Text: []byte(o.text), Received: 1760213655e9}
		b.Run(o.name, func(b *testing.B) {
			for b.Loop() {
				m.Flags = ParseHostname
				chain.Parse(&m)
			}
		})
	}
}

func BenchmarkReceive(b *testing.B) {
	s := DefaultSanitizer()
	origin := NewOrigin("imtcp", "host.example.com", "192.0.2.1", "40000")
	for _, o := range ordinary {
		var batch Batch
		raw := []byte(o.text)
		b.Run(o.name, func(b *testing.B) {
			for b.Loop() {
				batch.Reset()
				batch.Receive(&s, raw, origin, 1, ParseHostname)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	chain := DefaultChain(NewEnv("localhost"))
	origin := NewOrigin("imtcp", "host.example.com", "192.0.2.1", "40000")
	for _, parse := range []bool{false, true} {
		var batch Batch
		for range 100 {
			m := Message{Text: []byte(ordinary[0].text), Origin: origin}
			if parse {
				chain.Parse(&m)
			}
			batch.AddMessage(&m)
		}
		frames := batch.All().AppendFrames(nil)
		b.Run(map[bool]string{false: "unparsed", true: "parsed"}[parse], func(b *testing.B) {
			for b.Loop() {
				if err := batch.Load(frames, 100); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/message")
		})
	}
}
