# The service layer of `metrics`: a folder and a configuration made from the fleet's variables.
directory node['metrics']['folder'] do
  owner 'root'
  mode '0755'
end

template "#{node['metrics']['folder']}/scrape.conf" do
  source 'scrape.conf.erb'
  mode '0644'
  variables(seconds: node['SCRAPE_SECONDS'], web: node['WEB_IP'], app: node['APP_IP'])
end
