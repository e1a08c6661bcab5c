import { ALERT_FEEDBACK, type Alert, type AlertFeedback } from '@evenkeel/protocol';
import { formatInstant } from '../../components/format.ts';
import { Shape, type ShapeName } from '../../components/shape.tsx';
import classes from './feedback-buttons.module.css';

const SHAPES: Record<AlertFeedback, ShapeName> = { true: 'tick', 'false alarm': 'cross' };

interface Props {
  alert: Pick<Alert, 'feedback' | 'feedbackBy' | 'feedbackAt'>;
  /** What the alert is, for those who do not see where the buttons stand. */
  about: string;
  /** Receives null where what is pressed is pressed again. */
  onMark: (feedback: AlertFeedback | null) => void;
}

/** Whether a person calls an alert right, to be said and taken back. */
export function FeedbackButtons({ alert: { feedback, feedbackBy, feedbackAt }, about, onMark }: Props) {
  return (
    <fieldset className={classes.feedback} aria-label={`Feedback on ${about}`}>
      {ALERT_FEEDBACK.map((each) => (
        <button
          key={each}
          type="button"
          aria-pressed={each === feedback}
          title={
            each === feedback && feedbackAt !== null
              ? `marked by ${feedbackBy ?? 'somebody'}, ${formatInstant(feedbackAt)}; press to take it back`
              : undefined
          }
          onClick={() => onMark(each === feedback ? null : each)}
        >
          <Shape name={SHAPES[each]} />
          {each}
        </button>
      ))}
    </fieldset>
  );
}
