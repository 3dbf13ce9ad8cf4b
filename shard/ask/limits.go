package ask

import "time"

// Limits of this package, per shard where nothing else is said. Each says what happens when it is
// reached.
const (
	// MaxQuestions is how many questions to services may be under way. Reached: the answer is
	// ErrOverloaded, at once. A service that answers in 10 ms serves 50,000 questions a second.
	MaxQuestions = 512

	// QuestionBytes is the longest text of a question: an offer of a session (SDP) fits, and any
	// statement that a script makes. Beyond: the answer is ErrTooLong, at once.
	QuestionBytes = 8 << 10

	// AnswerBytes is the longest text of an answer. What a service has beyond it does not fit, and
	// the service says so with ErrTooLong.
	AnswerBytes = 16 << 10

	// MaxWait is the longest time that one question may wait. Longer ones are cut to it.
	MaxWait = 24 * time.Hour

	// MaxWaits is how often one run may wait. Beyond: the answer is ErrOverloaded, at once, so that
	// a loop around a question ends.
	MaxWaits = 1000
)
