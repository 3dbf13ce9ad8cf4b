package ask

import "time"

// Limits of this package, per shard unless one says otherwise.
const (
	// MaxQuestions is how many questions to services may be under way. Reached: the answer is
	// ErrOverloaded, at once. A service that answers in 10 ms serves 50,000 questions a second.
	MaxQuestions = 512

	// QuestionBytes is the longest text of a question: the offer of a session (SDP) fits, and so
	// does any statement that a script makes. Beyond: the answer is ErrTooLong, at once.
	QuestionBytes = 8 << 10

	// AnswerBytes is the longest text of an answer. A service with a longer one answers ErrTooLong.
	AnswerBytes = 16 << 10

	// MaxWait is the longest time that one question may wait. Longer times are cut to it.
	MaxWait = 24 * time.Hour

	// MaxWaits is how often one run may wait. Beyond: the answer is ErrOverloaded, at once, so that
	// a loop around a question ends.
	MaxWaits = 1000
)
