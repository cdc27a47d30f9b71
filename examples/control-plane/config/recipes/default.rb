# The same as apply.sh, for control planes whose template brings Cinc.
host = node['CONTAINER_HOSTNAME'] || node['control']['host']

template '/etc/motd' do
  source 'motd.erb'
  mode '0644'
  variables(host: host)
end

directory '/etc/systemd/journald.conf.d' do
  mode '0755'
end

service 'systemd-journald'

template '/etc/systemd/journald.conf.d/10-fleet.conf' do
  source 'journald.conf.erb'
  mode '0644'
  variables(host: host)
  notifies :restart, 'service[systemd-journald]'
end
