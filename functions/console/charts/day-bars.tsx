/** A bar for each day, in one colour or in parts. */
import { useLayoutEffect, useRef, useState } from 'react';
import { labelEvery } from './ticks.ts';

export type DayBar = {
  day: string;
  /** From the axis upwards. */
  parts: readonly number[];
  /** All that there is to say of the day. */
  says: string;
};

type DayBars = {
  title: string;
  /** What one sees in it, in a sentence. */
  says: string;
  bars: readonly DayBar[];
  ticks: readonly number[];
  tickOf(value: number): string;
  /** What the parts are, where there are several. */
  names?: readonly string[];
};

const HEIGHT = 150;
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 10, 10, 24];
const LABEL_PX = 56;
const short = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

export function DayBars({ title, says, bars, ticks, tickOf, names = [] }: DayBars) {
  const place = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useLayoutEffect(() => {
    const watching = new ResizeObserver(([entry]) => entry && setWidth(entry.contentRect.width));
    if (place.current) watching.observe(place.current);
    return () => watching.disconnect();
  }, []);

  const highest = ticks.at(-1) ?? 1;
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / highest);
  const each = (width - LEFT - RIGHT) / Math.max(1, bars.length);
  const every = labelEvery(bars.length, width - LEFT, LABEL_PX);
  return (
    <figure className="chart">
      <figcaption>
        <strong>{title}</strong> {says}
        {names.map((name, index) => (
          <span key={name} className={`legend part-${index}`}>
            {name}
          </span>
        ))}
      </figcaption>
      <div ref={place}>
        <svg width={width} height={HEIGHT} role="img" aria-label={`${title} ${says}`}>
          {ticks.map((tick) => (
            <g key={tick}>
              <line x1={LEFT} x2={width} y1={y(tick)} y2={y(tick)} />
              <text x={LEFT - 6} y={y(tick) + 4} textAnchor="end">
                {tickOf(tick)}
              </text>
            </g>
          ))}
          {bars.map(({ day, parts, says }, index) => {
            const x = LEFT + index * each;
            return (
              <g key={day}>
                <title>{says}</title>
                <rect className="day" x={x} y={TOP} width={each} height={HEIGHT - TOP - BOTTOM} />
                {parts.map((value, part) => {
                  const from = parts.slice(0, part).reduce((sum, one) => sum + one, 0);
                  return (
                    <rect
                      // biome-ignore lint/suspicious/noArrayIndexKey: a part is what stands at its place
                      key={part}
                      className={`part-${part}`}
                      x={x + each * 0.15}
                      width={each * 0.7}
                      y={y(from + value)}
                      height={y(from) - y(from + value)}
                    />
                  );
                })}
                {index % every === 0 && (
                  <text x={x + each / 2} y={HEIGHT - 6} textAnchor="middle">
                    {short.format(new Date(day))}
                  </text>
                )}
              </g>
            );
          })}
        </svg>
      </div>
    </figure>
  );
}
