/** A button that keeps the focus while it cannot be pressed: a `disabled` one loses it, and whoever reads along their place. */
import type { ComponentProps } from 'react';

export function Button({
  isOff = false,
  onClick,
  ...rest
}: ComponentProps<'button'> & { isOff?: boolean | undefined }) {
  return <button type="button" {...rest} aria-disabled={isOff} onClick={isOff ? undefined : onClick} />;
}
